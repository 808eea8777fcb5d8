//! The forms of identifiers of letters and digits, as data.

use super::word_checks::*;
use super::word_checks_more::*;
use crate::EntityType::{self, *};

/// A kind of identifier: its forms, its check, and its scores alone and after a word that names it. In a form, `A` is a
/// letter, `9` a digit, `X` either; other characters stand for themselves.
pub(super) struct Rule {
    pub(super) kind: EntityType,
    pub(super) forms: &'static [&'static [u8]],
    pub(super) valid: fn(&[u8]) -> bool,
    pub(super) plain: f32,
    pub(super) named: f32,
    pub(super) name: &'static str,
}

const fn rule(
    kind: EntityType,
    forms: &'static [&'static [u8]],
    valid: fn(&[u8]) -> bool,
    plain: f32,
    named: f32,
    name: &'static str,
) -> Rule {
    Rule { kind, forms, valid, plain, named, name }
}

/// Identifiers that are one word.
pub(super) const WORDS: &[Rule] = &[
    rule(UkNino, &[b"AA999999A"], nino, 0.6, 0.95, "nino/form"),
    rule(EsNif, &[b"99999999A", b"9999999A"], es_nif, 0.55, 0.95, "dni/mod23"),
    rule(EsNie, &[b"A9999999A", b"A99999999A"], es_nie, 0.7, 0.95, "nie/mod23"),
    rule(ItFiscalCode, &[b"AAAAAAXXAXXAXXXA"], fiscal_code, 0.9, 1.0, "codice-fiscale/check"),
    rule(ItFiscalCode, &[b"AAAAAA99A99A999A"], fiscal_form, 0.55, 0.9, "codice-fiscale/form"),
    rule(InPan, &[b"AAAAA9999A"], in_pan, 0.6, 0.95, "pan/form"),
    rule(InPan, &[b"AAAAA9999A"], any, 0.1, 0.75, "pan/context"),
    rule(MxCurp, &[b"AAAA999999AAAAAAX9"], curp, 0.9, 1.0, "curp/form"),
    rule(SgNricFin, &[b"A9999999A"], nric, 0.75, 0.95, "nric/check"),
    rule(UkDrivingLicence, &[b"XXXXX999999XXXXX"], uk_licence, 0.75, 0.95, "uk-licence/form"),
    rule(UsMbi, &[b"9AX9AX9AA99"], mbi, 0.4, 0.9, "mbi/form"),
    rule(MedicalLicense, &[b"AA9999999"], dea, 0.45, 0.9, "dea/check"),
    rule(DeSocialSecurity, &[b"99999999A999"], de_social, 0.7, 0.95, "rvnr/check"),
    rule(CnResidentId, &[b"99999999999999999X"], cn_x, 0.95, 1.0, "cn-id/mod11"),
    rule(FrNir, &[b"999992A99999999"], corsican, 0.9, 1.0, "nir/mod97"),
    rule(FiPersonalIdentityCode, &[b"999999A999X"], hetu, 0.85, 0.95, "hetu/mod31"),
    rule(ItDriverLicense, &[b"AA9999999A", b"U1XXXXXXXA"], it_licence, 0.4, 0.9, "it-licence/form"),
    rule(Passport, &[b"AXXXXXXX9"], de_passport, 0.3, 0.9, "passport/check"),
    rule(UsPassport, &[b"A99999999"], us_passport, 0.2, 0.85, "us-passport/context"),
    rule(IePps, &[b"9999999A", b"9999999AA"], pps, 0.4, 0.95, "pps/mod23"),
    rule(MxRfc, &[b"AAAA999999XXX", b"AAA999999XXX"], rfc, 0.55, 0.95, "rfc/form"),
    rule(InGstin, &[b"99AAAAA9999AXZX"], gstin, 0.9, 1.0, "gstin/mod36"),
    rule(InVoter, &[b"AAA9999999"], any, 0.1, 0.85, "voter/context"),
    rule(TwNationalId, &[b"A999999999"], tw_id, 0.45, 0.95, "tw-id/mod10"),
    rule(DeVatId, &[b"DE999999999"], de_vat, 0.6, 0.95, "de-vat/mod11"),
    rule(ItIdentityCard, &[b"AA99999AA", b"AA9999999", b"9999999AA"], any, 0.05, 0.8, "it-id-card/context"),
    rule(ClRut, &[b"99999999K", b"9999999K"], rut, 0.4, 0.95, "rut/mod11"),
    rule(EsCif, &[b"A99999999", b"A9999999A"], es_cif, 0.35, 0.95, "cif/mod10"),
    rule(SgUen, &[b"99999999A"], uen_business, 0.3, 0.95, "uen/mod11"),
    rule(SgUen, &[b"999999999A"], uen_company, 0.55, 0.95, "uen/mod11"),
    rule(SgUen, &[b"A99AA9999A"], uen_other, 0.75, 0.95, "uen/mod11"),
    rule(KeKraPin, &[b"A999999999A"], kra_pin, 0.3, 0.95, "kra-pin/context"),
    rule(VeRif, &[b"A999999999"], ve_rif, 0.3, 0.95, "rif/mod11"),
    rule(GtNit, &[b"999999K", b"9999999K", b"99999999K"], gt_nit, 0.1, 0.9, "gt-nit/mod11"),
    rule(HkId, &[b"A9999999", b"A999999A", b"AA9999999", b"AA999999A"], hkid, 0.3, 0.95, "hkid/mod11"),
    rule(DeHealthInsurance, &[b"A999999999"], kvnr, 0.35, 0.95, "kvnr/mod10"),
];

/// Identifiers written with dashes, dots or spaces.
pub(super) const DASHED: &[Rule] = &[
    rule(UsMbi, &[b"9AX9-AX9-AA99"], mbi, 0.7, 0.95, "mbi/form"),
    rule(FiPersonalIdentityCode, &[b"999999-999X", b"999999+999X"], hetu, 0.85, 0.95, "hetu/mod31"),
    rule(EsNif, &[b"99999999-A"], es_nif, 0.6, 0.95, "dni/mod23"),
    rule(EsNif, &[b"9999999-A"], es_nif, 0.55, 0.95, "dni/mod23"),
    rule(EsNie, &[b"A9999999-A", b"A-9999999-A"], es_nie, 0.75, 0.95, "nie/mod23"),
    rule(ClRut, &[b"99.999.999-X", b"9.999.999-X"], rut, 0.95, 1.0, "rut/mod11"),
    rule(ClRut, &[b"99999999-X"], rut, 0.5, 0.95, "rut/mod11"),
    rule(UkNino, &[b"AA 99 99 99 A"], nino, 0.85, 0.95, "nino/form"),
    rule(UkNino, &[b"AA 999999 A", b"AA-99-99-99-A"], nino, 0.8, 0.95, "nino/form"),
    rule(UkNino, &[b"AA 999999A", b"AA999999 A"], nino, 0.7, 0.95, "nino/form"),
    rule(DeSocialSecurity, &[b"99 999999 A 999"], de_social, 0.9, 0.95, "rvnr/check"),
    rule(EsCif, &[b"A-99999999", b"A-9999999-A", b"A9999999-A"], es_cif, 0.55, 0.95, "cif/mod10"),
    rule(VeRif, &[b"A-99999999-9", b"A-999999999"], ve_rif, 0.9, 1.0, "rif/mod11"),
    rule(GtNit, &[b"999999-X", b"9999999-X", b"99999999-X"], gt_nit, 0.2, 0.9, "gt-nit/mod11"),
    rule(HkId, &[b"A999999(X)", b"AA999999(X)"], hkid, 0.9, 1.0, "hkid/mod11"),
];

/// A form of [`DASHED`], prepared for the search from its first word that contains a digit.
#[derive(Clone, Copy)]
pub(super) struct Dashed {
    pub(super) rule: &'static Rule,
    pub(super) form: &'static [u8],
    /// How far before that word the form begins: a word of letters and a separator.
    pub(super) lead: usize,
    /// The length of that word.
    pub(super) first: usize,
    /// The character after it; 0 at the end of the form.
    pub(super) sign: u8,
}

#[allow(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
const COUNT: usize = {
    let (mut count, mut rule) = (0, 0);
    while rule < DASHED.len() {
        count += DASHED[rule].forms.len();
        rule += 1;
    }
    count
};

/// Every form of [`DASHED`], in the same order.
static FORMS: [Dashed; COUNT] = forms();

#[allow(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
const fn forms() -> [Dashed; COUNT] {
    let first = Dashed { rule: &DASHED[0], form: DASHED[0].forms[0], lead: 0, first: 0, sign: 0 };
    let mut forms = [first; COUNT];
    let (mut count, mut rule) = (0, 0);
    while rule < DASHED.len() {
        let mut number = 0;
        while number < DASHED[rule].forms.len() {
            forms[count] = dashed(&DASHED[rule], DASHED[rule].forms[number]);
            number += 1;
            count += 1;
        }
        rule += 1;
    }
    forms
}

/// More than the length of the first word with a digit in any of these forms.
const LENGTHS: usize = 16;

/// For each length of that word, its forms, as bits.
static OF_LENGTH: [u32; LENGTHS] = of_length();

#[allow(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
const fn of_length() -> [u32; LENGTHS] {
    let (mut of_length, mut form) = ([0; LENGTHS], 0);
    while form < COUNT {
        of_length[FORMS[form].first] |= 1 << form;
        form += 1;
    }
    of_length
}

/// The forms whose first word with a digit has this length, in order.
#[inline]
pub(super) fn dashed_by(first: usize) -> impl Iterator<Item = &'static Dashed> {
    let mut forms = OF_LENGTH.get(first).copied().unwrap_or(0);
    std::iter::from_fn(move || {
        let form = (forms != 0).then(|| forms.trailing_zeros() as usize)?;
        forms &= forms - 1;
        FORMS.get(form)
    })
}

#[allow(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
const fn dashed(rule: &'static Rule, form: &'static [u8]) -> Dashed {
    let mut letters = 0;
    while letters < form.len() && form[letters] == b'A' {
        letters += 1;
    }
    let lead = if letters > 0 && matches!(form[letters], b' ' | b'-') { letters + 1 } else { 0 };
    let mut end = lead;
    while end < form.len() && form[end].is_ascii_alphanumeric() {
        end += 1;
    }
    Dashed { rule, form, lead, first: end - lead, sign: if end < form.len() { form[end] } else { 0 } }
}
