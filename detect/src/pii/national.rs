//! Numbers that states issue to people and companies, consisting of digits only.

use super::number::Number;
use super::scan::Scan;
use super::{national_checks as check, national_checks_more as more};
use crate::EntityType::{self, *};

/// One kind of number: its length, its groupings, its check, and its scores when grouped, as a bare row of digits, and
/// after a word that names it. A bare score below the usual threshold means that the form proves too little (one check
/// digit lets every tenth number through), so context must support it.
struct Rule {
    kind: EntityType,
    length: usize,
    /// Groupings, each with its separators.
    layouts: &'static [(&'static [u8], &'static [u8])],
    valid: fn(&[u8]) -> bool,
    grouped: f32,
    bare: f32,
    named: f32,
    name: &'static str,
}

macro_rules! rule {
    ($kind:ident, $length:literal, [$($layout:expr => $separators:literal),*], $valid:expr, $grouped:literal, $bare:literal, $named:literal, $name:literal) => {
        Rule { kind: $kind, length: $length, layouts: &[$((&$layout, $separators)),*], valid: $valid, grouped: $grouped, bare: $bare, named: $named, name: $name }
    };
}

const RULES: &[Rule] = &[
    rule!(UsSsn, 9, [[3, 2, 4] => b"-"], check::ssn, 0.74, 0.05, 0.9, "ssn/format"),
    rule!(UsSsn, 9, [[3, 2, 4] => b" ."], check::ssn, 0.55, 0.05, 0.9, "ssn/format"),
    rule!(UsSsn, 9, [[3, 2, 4] => b"wnm/|,:;*+~#=\\o"], check::ssn, 0.05, 0.05, 0.85, "ssn/format"),
    rule!(UsSsn, 9, [[3, 6] => b"- ", [5, 4] => b"- "], check::ssn, 0.2, 0.05, 0.8, "ssn/format"),
    rule!(UsItin, 9, [[3, 2, 4] => b"- ."], check::itin, 0.6, 0.05, 0.9, "itin/format"),
    rule!(UsItin, 9, [[3, 6] => b"- ", [5, 4] => b"- "], check::itin, 0.2, 0.05, 0.8, "itin/format"),
    rule!(UsEin, 9, [[2, 7] => b"-"], check::ein, 0.4, 0.05, 0.8, "ein/context"),
    rule!(AbaRouting, 9, [[4, 4, 1] => b"-"], check::aba, 0.4, 0.05, 0.85, "aba/checksum"),
    rule!(UsNpi, 10, [[4, 3, 3] => b"- "], check::npi, 0.3, 0.2, 0.9, "npi/luhn"),
    rule!(UkNhs, 10, [[3, 3, 4] => b" -"], check::nhs, 0.45, 0.2, 0.95, "nhs/mod11"),
    rule!(CaSin, 9, [[3, 3, 3] => b" -"], check::sin, 0.55, 0.1, 0.9, "sin/luhn"),
    rule!(AuTfn, 9, [[3, 3, 3] => b" -"], check::tfn, 0.45, 0.1, 0.9, "tfn/mod11"),
    rule!(AuMedicare, 10, [[4, 5, 1] => b" -"], check::medicare, 0.6, 0.2, 0.9, "medicare/mod10"),
    rule!(AuAbn, 11, [[2, 3, 3, 3] => b" "], check::abn, 0.75, 0.3, 0.9, "abn/mod89"),
    rule!(DeTaxId, 11, [[2, 3, 3, 3] => b" ", [3, 3, 3, 2] => b" "], check::de_tax_id, 0.6, 0.3, 0.95, "steuer-id/mod11"),
    rule!(FrNir, 15, [[1, 2, 2, 2, 3, 3, 2] => b" ", [13, 2] => b" "], check::nir, 0.95, 0.7, 1.0, "nir/mod97"),
    rule!(ItVatCode, 11, [], check::it_vat, 0.3, 0.1, 0.85, "partita-iva/luhn"),
    rule!(PtNif, 9, [[3, 3, 3] => b" "], check::pt_nif, 0.3, 0.1, 0.85, "pt-nif/mod11"),
    rule!(NlBsn, 9, [[3, 3, 3] => b" .", [4, 2, 3] => b"."], check::bsn, 0.3, 0.1, 0.9, "bsn/mod11"),
    rule!(BeNationalNumber, 11, [[2, 2, 2, 3, 2] => b".-?"], check::be_national, 0.95, 0.45, 0.95, "be-national/mod97"),
    rule!(ChAhv, 13, [[3, 4, 4, 2] => b"."], check::ahv, 0.95, 0.5, 0.95, "ahv/ean13"),
    rule!(PlPesel, 11, [], check::pesel, 0.45, 0.45, 0.95, "pesel/mod10"),
    rule!(SePersonnummer, 10, [[6, 4] => b"-"], check::se_short, 0.7, 0.3, 0.95, "personnummer/luhn"),
    rule!(SePersonnummer, 12, [[8, 4] => b"-"], check::se_long, 0.9, 0.55, 0.95, "personnummer/luhn"),
    rule!(DkCpr, 10, [[6, 4] => b"- "], check::dk_cpr, 0.35, 0.1, 0.85, "cpr/date"),
    rule!(NoFodselsnummer, 11, [[6, 5] => b" "], check::no_id, 0.9, 0.55, 0.95, "fodselsnummer/mod11"),
    rule!(TrNationalId, 11, [], check::tr_id, 0.5, 0.5, 0.95, "tckn/mod10"),
    rule!(BrCpf, 11, [[3, 3, 3, 2] => b"?"], check::cpf, 0.95, 0.45, 0.95, "cpf/mod11"),
    rule!(BrCnpj, 14, [[2, 3, 3, 4, 2] => b"?"], check::cnpj, 0.95, 0.5, 0.95, "cnpj/mod11"),
    rule!(InAadhaar, 12, [[4, 4, 4] => b" -:"], check::aadhaar, 0.6, 0.3, 0.95, "aadhaar/verhoeff"),
    rule!(CnResidentId, 18, [], check::cn_id, 0.9, 0.9, 1.0, "cn-id/mod11"),
    rule!(JpMyNumber, 12, [[4, 4, 4] => b" -"], check::my_number, 0.3, 0.2, 0.9, "my-number/mod11"),
    rule!(KrRrn, 13, [[6, 7] => b"-"], check::kr_rrn, 0.7, 0.35, 0.95, "rrn/date"),
    rule!(KrDriverLicense, 12, [[2, 2, 6, 2] => b"- "], check::kr_license, 0.75, 0.1, 0.85, "kr-license/region"),
    rule!(ThTnin, 13, [[1, 4, 5, 2, 1] => b"- "], check::thai, 0.9, 0.3, 0.95, "thai-id/mod11"),
    rule!(ZaId, 13, [[6, 4, 3] => b" "], check::za_id, 0.75, 0.45, 0.95, "za-id/luhn"),
    rule!(IlId, 9, [], check::il_id, 0.1, 0.05, 0.85, "il-id/luhn"),
    rule!(Imei, 15, [[2, 6, 6, 1] => b"- ", [6, 2, 6, 1] => b"- "], super::checks::luhn, 0.5, 0.2, 0.95, "imei/luhn"),
    rule!(AtSvnr, 10, [[4, 6] => b" -", [4, 2, 2, 2] => b" "], more::at_svnr, 0.45, 0.1, 0.95, "svnr/mod11"),
    rule!(GrAmka, 11, [], more::gr_amka, 0.3, 0.3, 0.95, "amka/luhn"),
    rule!(GrAfm, 9, [], more::gr_afm, 0.1, 0.05, 0.9, "afm/mod11"),
    rule!(RoCnp, 13, [], more::ro_cnp, 0.45, 0.45, 0.95, "cnp/mod11"),
    rule!(BgEgn, 10, [], more::bg_egn, 0.3, 0.2, 0.95, "egn/mod11"),
    rule!(HrOib, 11, [], super::checks::mod11_10, 0.2, 0.1, 0.95, "oib/mod11"),
    rule!(SiEmso, 13, [], more::emso, 0.45, 0.45, 0.95, "emso/mod11"),
    rule!(CzBirthNumber, 10, [[6, 4] => b"/"], more::birth_number, 0.7, 0.2, 0.95, "birth-number/mod11"),
    rule!(EeIsikukood, 11, [], more::baltic, 0.3, 0.3, 0.95, "isikukood/mod11"),
    rule!(LtAsmensKodas, 11, [], more::baltic, 0.3, 0.3, 0.95, "asmens-kodas/mod11"),
    rule!(LvPersonasKods, 11, [[6, 5] => b"-"], more::lv_code, 0.6, 0.2, 0.95, "personas-kods/mod11"),
    rule!(IsKennitala, 10, [[6, 4] => b"- "], more::kennitala, 0.6, 0.2, 0.95, "kennitala/mod11"),
    rule!(RuInn, 10, [], more::ru_inn, 0.1, 0.1, 0.9, "inn/mod11"),
    rule!(RuInn, 12, [], more::ru_inn_person, 0.1, 0.1, 0.95, "inn/mod11"),
    rule!(RuSnils, 11, [[3, 3, 3, 2] => b"?-"], more::snils, 0.8, 0.2, 0.95, "snils/mod101"),
    rule!(UaRntrc, 10, [], more::ua_rntrc, 0.1, 0.1, 0.9, "rntrc/mod11"),
    rule!(ArCuit, 11, [[2, 8, 1] => b"-"], more::cuit, 0.9, 0.3, 0.95, "cuit/mod11"),
    rule!(CoNit, 10, [[9, 1] => b"-", [3, 3, 3, 1] => b"?"], more::co_nit, 0.55, 0.1, 0.9, "co-nit/mod11"),
    rule!(DoCedula, 11, [[3, 7, 1] => b"-"], super::checks::luhn, 0.7, 0.1, 0.9, "do-cedula/luhn"),
    rule!(EcCedula, 10, [[9, 1] => b"-"], more::ec_cedula, 0.3, 0.1, 0.9, "ec-cedula/luhn"),
    rule!(PeRuc, 11, [], more::pe_ruc, 0.2, 0.2, 0.95, "ruc/mod11"),
    rule!(IdNik, 16, [], more::nik, 0.2, 0.2, 0.9, "nik/date"),
    rule!(MyNric, 12, [[6, 2, 4] => b"-"], more::my_nric, 0.7, 0.2, 0.95, "mykad/date"),
    rule!(PkCnic, 13, [[5, 7, 1] => b"-"], more::pk_cnic, 0.7, 0.1, 0.9, "cnic/form"),
    rule!(KrBrn, 10, [[3, 2, 5] => b"-"], more::kr_brn, 0.4, 0.1, 0.9, "kr-brn/mod10"),
    rule!(NzIrd, 9, [[3, 3, 3] => b"- "], more::nz_ird, 0.2, 0.05, 0.9, "ird/mod11"),
    rule!(NzIrd, 8, [[2, 3, 3] => b"- "], more::nz_ird, 0.2, 0.05, 0.9, "ird/mod11"),
    rule!(NgNin, 11, [], check::any, 0.05, 0.05, 0.7, "nin/context"),
    rule!(AeEmiratesId, 15, [[3, 4, 7, 1] => b"- "], more::emirates, 0.9, 0.5, 0.95, "emirates-id/luhn"),
    rule!(ArDni, 8, [[2, 3, 3] => b"."], more::ar_dni, 0.2, 0.05, 0.8, "ar-dni/context"),
    rule!(UyCi, 8, [[1, 3, 3, 1] => b"?"], more::uy_ci, 0.7, 0.1, 0.9, "uy-ci/mod10"),
    rule!(UyCi, 8, [[7, 1] => b"-"], more::uy_ci, 0.3, 0.1, 0.9, "uy-ci/mod10"),
    rule!(SeOrganisationsnummer, 10, [[6, 4] => b"-"], more::se_organisation, 0.4, 0.1, 0.95, "se-organisation/luhn"),
    rule!(AuAcn, 9, [[3, 3, 3] => b" "], more::acn, 0.3, 0.05, 0.9, "acn/mod10"),
    // By context alone: the form proves nothing.
    rule!(UsPassport, 9, [], check::any, 0.05, 0.05, 0.7, "us-passport/context"),
];

/// More digits than any of these numbers has.
const LENGTHS: usize = 20;

/// For each length, the rules for it, as bits.
static OF_LENGTH: [u128; LENGTHS] = of_length();

#[allow(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
const fn of_length() -> [u128; LENGTHS] {
    let (mut of_length, mut rule) = ([0; LENGTHS], 0);
    while rule < RULES.len() {
        of_length[RULES[rule].length] |= 1 << rule;
        rule += 1;
    }
    of_length
}

/// Judges a number of 8 to 19 digits against every rule of its length.
pub(super) fn number(scan: &mut Scan<'_>, number: &Number) {
    let digits = number.digits();
    if number.glued {
        return;
    }
    let mut rules = OF_LENGTH.get(digits.len()).copied().unwrap_or(0);
    while rules != 0 {
        let rule = RULES.get(rules.trailing_zeros() as usize);
        rules &= rules - 1;
        let Some(rule) = rule.filter(|rule| scan.wants(rule.kind)) else { continue };
        let bare = number.layout().len() == 1;
        let grouped = rule
            .layouts
            .iter()
            .any(|(layout, separators)| *layout == number.layout() && separators.contains(&number.separator));
        // A row of groups is one number, not several.
        let piece = number.chained && number.separator == b' ';
        if !(bare || grouped) || piece || !(rule.valid)(digits) {
            continue;
        }
        let plain = if bare { rule.bare } else { rule.grouped };
        scan.weigh(rule.kind, (number.start, number.end), (plain, rule.named), rule.name);
    }
}
