//! The types of personal data and secrets, under the names that Presidio users know.

use std::fmt;

macro_rules! entity_types {
    ($($group:ident { $($(#[doc = $doc:literal])* $variant:ident = $name:literal $(| $alias:literal)*),+ $(,)? })+) => {
        /// A type of personal data or secret.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum EntityType { $($($(#[doc = $doc])* $variant),+),+ }

        const ALL: &[EntityType] = &[$($(EntityType::$variant),+),+];
        const NAMES: &[&str] = &[$($($name),+),+];
        const ALIASES: &[(&str, EntityType)] = &[$($($(($alias, EntityType::$variant),)*)+)+];
        $(const $group: &[EntityType] = &[$(EntityType::$variant),+];)+

        impl EntityType {
            /// The name in policies, findings and placeholders.
            pub const fn as_str(self) -> &'static str {
                match self { $($(EntityType::$variant => $name),+),+ }
            }
        }
    };
}

entity_types! {
    PII {
        /// An e-mail address (RFC 5322 dot-atom form).
        EmailAddress = "EMAIL_ADDRESS" | "EMAIL" | "E_MAIL",
        /// A telephone number, national or international.
        PhoneNumber = "PHONE_NUMBER" | "PHONE" | "TELEPHONE",
        /// A payment card number (ISO/IEC 7812).
        CreditCard = "CREDIT_CARD" | "CARD" | "CREDIT_CARD_NUMBER",
        /// An international bank account number (ISO 13616).
        IbanCode = "IBAN_CODE" | "IBAN",
        /// An IPv4 or IPv6 address.
        IpAddress = "IP_ADDRESS" | "IP",
        /// A hardware address (IEEE EUI-48).
        MacAddress = "MAC_ADDRESS" | "MAC",
        /// A date of birth, by context.
        DateOfBirth = "DATE_OF_BIRTH" | "DOB" | "BIRTHDATE" | "BIRTH_DATE",
        /// A cryptocurrency address.
        Crypto = "CRYPTO" | "CRYPTO_ADDRESS" | "BITCOIN",
        /// A bank account number, by context.
        BankAccount = "US_BANK_NUMBER" | "BANK_ACCOUNT" | "ACCOUNT_NUMBER",
        /// An ABA bank routing number.
        AbaRouting = "ABA_ROUTING_NUMBER" | "ROUTING_NUMBER",
        /// A passport number of any country but the United States, by context.
        Passport = "PASSPORT" | "PASSPORT_NUMBER" | "DE_PASSPORT" | "ES_PASSPORT" | "IN_PASSPORT" | "IT_PASSPORT"
            | "KR_PASSPORT" | "PH_PASSPORT" | "UK_PASSPORT" | "ZA_PASSPORT",
        /// A device identity (IMEI), by context.
        Imei = "IMEI",
        /// A United States social security number.
        UsSsn = "US_SSN" | "SSN" | "SOCIAL_SECURITY_NUMBER",
        /// A United States individual taxpayer identification number.
        UsItin = "US_ITIN" | "ITIN",
        /// A United States employer identification number, by context.
        UsEin = "US_EIN" | "EIN",
        /// A United States passport number, by context.
        UsPassport = "US_PASSPORT",
        /// A driver's licence number of a US state, or of a country without its own type, by context.
        UsDriverLicense = "US_DRIVER_LICENSE" | "DRIVER_LICENSE" | "DRIVERS_LICENSE" | "DRIVING_LICENCE"
            | "DE_FUEHRERSCHEIN" | "ZA_DRIVER_LICENSE",
        /// A United States Medicare beneficiary identifier.
        UsMbi = "US_MBI" | "MBI",
        /// A United States national provider identifier, by context.
        UsNpi = "US_NPI" | "NPI",
        /// A United States DEA registration number.
        MedicalLicense = "MEDICAL_LICENSE" | "DEA_NUMBER",
        /// A United Kingdom National Health Service number.
        UkNhs = "UK_NHS" | "NHS",
        /// A United Kingdom national insurance number.
        UkNino = "UK_NINO" | "NINO",
        /// A United Kingdom driving licence number.
        UkDrivingLicence = "UK_DRIVING_LICENCE",
        /// A Canadian social insurance number.
        CaSin = "CA_SIN" | "SIN",
        /// An Australian tax file number.
        AuTfn = "AU_TFN" | "TFN",
        /// An Australian Medicare number.
        AuMedicare = "AU_MEDICARE",
        /// An Australian business number.
        AuAbn = "AU_ABN" | "ABN",
        /// A German tax identification number.
        DeTaxId = "DE_TAX_ID" | "DE_STEUER_ID" | "STEUER_ID",
        /// A German social insurance number.
        DeSocialSecurity = "DE_SOCIAL_SECURITY",
        /// A French social security number (NIR).
        FrNir = "FR_NIR" | "NIR",
        /// A Spanish tax identification number (DNI).
        EsNif = "ES_NIF" | "ES_DNI" | "DNI",
        /// A Spanish foreigner identification number.
        EsNie = "ES_NIE" | "NIE",
        /// An Italian fiscal code.
        ItFiscalCode = "IT_FISCAL_CODE" | "CODICE_FISCALE",
        /// An Italian VAT number, by context.
        ItVatCode = "IT_VAT_CODE",
        /// An Italian driver's licence number.
        ItDriverLicense = "IT_DRIVER_LICENSE",
        /// A Portuguese tax number, by context.
        PtNif = "PT_NIF",
        /// A Dutch citizen service number, by context.
        NlBsn = "NL_BSN" | "BSN",
        /// A Belgian national register number.
        BeNationalNumber = "BE_NATIONAL_NUMBER",
        /// A Swiss social insurance number (AHV).
        ChAhv = "CH_AHV" | "AHV",
        /// A Polish national identification number.
        PlPesel = "PL_PESEL" | "PESEL",
        /// A Swedish personal identity number.
        SePersonnummer = "SE_PERSONNUMMER" | "PERSONNUMMER",
        /// A Finnish personal identity code.
        FiPersonalIdentityCode = "FI_PERSONAL_IDENTITY_CODE" | "HETU",
        /// A Danish civil registration number, by context.
        DkCpr = "DK_CPR",
        /// A Norwegian national identity number.
        NoFodselsnummer = "NO_FODSELSNUMMER",
        /// A Turkish identification number.
        TrNationalId = "TR_NATIONAL_ID",
        /// A Brazilian individual taxpayer number.
        BrCpf = "BR_CPF" | "CPF",
        /// A Brazilian company number.
        BrCnpj = "BR_CNPJ" | "CNPJ",
        /// A Mexican population registry code.
        MxCurp = "MX_CURP" | "CURP",
        /// A Chilean national identification number.
        ClRut = "CL_RUT" | "RUT",
        /// An Indian Aadhaar number.
        InAadhaar = "IN_AADHAAR" | "AADHAAR",
        /// An Indian permanent account number.
        InPan = "IN_PAN" | "PAN",
        /// A Chinese resident identity card number.
        CnResidentId = "CN_RESIDENT_ID" | "CN_ID",
        /// A Japanese individual number ("My Number"), by context.
        JpMyNumber = "JP_MY_NUMBER" | "MY_NUMBER",
        /// A Korean resident registration number.
        KrRrn = "KR_RRN" | "RRN" | "KR_FRN",
        /// A Korean driver's licence number.
        KrDriverLicense = "KR_DRIVER_LICENSE",
        /// A Singaporean national registration or foreign identification number.
        SgNricFin = "SG_NRIC_FIN" | "NRIC" | "SG_NRIC",
        /// A Thai national identification number.
        ThTnin = "TH_TNIN",
        /// A South African identity number.
        ZaId = "ZA_ID" | "ZA_ID_NUMBER",
        /// An Israeli identity number, by context.
        IlId = "IL_ID",
        /// An Australian company number.
        AuAcn = "AU_ACN" | "ACN",
        /// A German VAT identification number.
        DeVatId = "DE_VAT_ID",
        /// An Italian identity card number, by context.
        ItIdentityCard = "IT_IDENTITY_CARD",
        /// An Austrian social insurance number.
        AtSvnr = "AT_SVNR" | "SVNR",
        /// An Irish personal public service number.
        IePps = "IE_PPS" | "PPSN",
        /// A Greek social security number.
        GrAmka = "GR_AMKA" | "AMKA",
        /// A Greek tax number, by context.
        GrAfm = "GR_AFM" | "AFM",
        /// A Romanian personal numeric code.
        RoCnp = "RO_CNP" | "CNP",
        /// A Bulgarian citizen number.
        BgEgn = "BG_EGN" | "EGN",
        /// A Croatian personal identification number.
        HrOib = "HR_OIB" | "OIB",
        /// A citizen number of Slovenia and its neighbours (JMBG).
        SiEmso = "SI_EMSO" | "JMBG",
        /// A Czech or Slovak birth number.
        CzBirthNumber = "CZ_BIRTH_NUMBER" | "SK_BIRTH_NUMBER",
        /// An Estonian personal code.
        EeIsikukood = "EE_ISIKUKOOD",
        /// A Lithuanian personal code.
        LtAsmensKodas = "LT_ASMENS_KODAS",
        /// A Latvian personal code.
        LvPersonasKods = "LV_PERSONAS_KODS",
        /// An Icelandic identification number.
        IsKennitala = "IS_KENNITALA" | "KENNITALA",
        /// A Russian tax number, by context.
        RuInn = "RU_INN" | "INN",
        /// A Russian insurance number.
        RuSnils = "RU_SNILS" | "SNILS",
        /// A Ukrainian tax number, by context.
        UaRntrc = "UA_RNTRC",
        /// An Argentine tax number.
        ArCuit = "AR_CUIT" | "CUIT" | "CUIL",
        /// A Colombian tax number.
        CoNit = "CO_NIT",
        /// A Dominican identity number.
        DoCedula = "DO_CEDULA",
        /// An Ecuadorian identity number, by context.
        EcCedula = "EC_CEDULA",
        /// A Peruvian tax number, by context.
        PeRuc = "PE_RUC" | "RUC",
        /// A Mexican tax number.
        MxRfc = "MX_RFC" | "RFC",
        /// An Indian goods and services tax number.
        InGstin = "IN_GSTIN" | "GSTIN",
        /// An Indian voter identity, by context.
        InVoter = "IN_VOTER" | "EPIC",
        /// An Indonesian identity number.
        IdNik = "ID_NIK" | "NIK",
        /// A Malaysian identity card number.
        MyNric = "MY_NRIC" | "MYKAD",
        /// A Pakistani identity card number.
        PkCnic = "PK_CNIC" | "CNIC",
        /// A Taiwanese identity card number.
        TwNationalId = "TW_NATIONAL_ID",
        /// A Korean business registration number.
        KrBrn = "KR_BRN",
        /// A New Zealand tax number, by context.
        NzIrd = "NZ_IRD" | "IRD",
        /// A Nigerian identification number, by context.
        NgNin = "NG_NIN",
        /// An identity number of the United Arab Emirates.
        AeEmiratesId = "AE_EMIRATES_ID" | "EMIRATES_ID",
        /// A Spanish tax number of a company.
        EsCif = "ES_CIF" | "CIF",
        /// A Singaporean unique entity number.
        SgUen = "SG_UEN" | "UEN",
        /// A Kenyan tax number, by context.
        KeKraPin = "KE_KRA_PIN" | "KRA_PIN",
        /// A Venezuelan tax number.
        VeRif = "VE_RIF" | "RIF",
        /// A Guatemalan tax number, by context.
        GtNit = "GT_NIT",
        /// An identity card number of Hong Kong.
        HkId = "HK_ID" | "HKID",
        /// An Argentine identity number, by context.
        ArDni = "AR_DNI",
        /// A Uruguayan identity number.
        UyCi = "UY_CI",
        /// A German health insurance number, by context.
        DeHealthInsurance = "DE_HEALTH_INSURANCE" | "KVNR",
        /// A Swedish company number, by context.
        SeOrganisationsnummer = "SE_ORGANISATIONSNUMMER",
    }
    SECRETS {
        /// An access key id or secret access key of Amazon Web Services.
        AwsAccessKey = "AWS_ACCESS_KEY" | "AWS_KEY" | "AWS_SECRET_KEY",
        /// A secret of Microsoft Azure.
        AzureKey = "AZURE_KEY" | "AZURE_STORAGE_KEY",
        /// A key or OAuth secret of Google.
        GoogleApiKey = "GOOGLE_API_KEY" | "GCP_API_KEY",
        /// A token of GitHub.
        GithubToken = "GITHUB_TOKEN" | "GITHUB_PAT",
        /// A token of GitLab.
        GitlabToken = "GITLAB_TOKEN",
        /// A key of OpenAI.
        OpenaiApiKey = "OPENAI_API_KEY" | "OPENAI_KEY",
        /// A key of Anthropic.
        AnthropicApiKey = "ANTHROPIC_API_KEY" | "ANTHROPIC_KEY",
        /// A key of another provider of language models.
        LlmApiKey = "LLM_API_KEY" | "HUGGINGFACE_TOKEN",
        /// A token or webhook of Slack.
        SlackToken = "SLACK_TOKEN",
        /// A token of another chat service (Discord, Telegram, Teams).
        ChatToken = "CHAT_TOKEN" | "DISCORD_TOKEN" | "TELEGRAM_TOKEN",
        /// A key of Stripe.
        StripeKey = "STRIPE_KEY" | "STRIPE_API_KEY",
        /// A key of another payment or commerce service.
        PaymentKey = "PAYMENT_KEY" | "SQUARE_TOKEN" | "SHOPIFY_TOKEN",
        /// A token of a package registry.
        PackageToken = "PACKAGE_TOKEN" | "NPM_TOKEN" | "PYPI_TOKEN",
        /// A key of a mail or messaging service.
        MailKey = "MAIL_KEY" | "SENDGRID_KEY" | "TWILIO_KEY",
        /// A signed JSON web token (RFC 7519).
        Jwt = "JWT" | "JSON_WEB_TOKEN",
        /// A private key block (RFC 7468, OpenPGP).
        PrivateKey = "PRIVATE_KEY" | "SSH_KEY",
        /// A connection string that holds a password.
        ConnectionString = "CONNECTION_STRING" | "DATABASE_URL",
        /// A URL that holds a password.
        UrlCredentials = "URL_CREDENTIALS" | "BASIC_AUTH",
        /// A password, by context.
        Password = "PASSWORD" | "PASSPHRASE",
        /// Any other key or token: by a distinctive prefix or by context.
        ApiKey = "API_KEY" | "TOKEN" | "SECRET" | "GENERIC_SECRET",
    }
}

impl EntityType {
    /// Every type, in the order of [`EntityType::names`].
    pub fn all() -> &'static [EntityType] {
        ALL
    }

    /// Every type's name.
    pub fn names() -> &'static [&'static str] {
        NAMES
    }

    /// Aliases of the types.
    pub fn aliases() -> impl Iterator<Item = &'static str> {
        ALIASES.iter().map(|(alias, _)| *alias)
    }

    /// The type with this name or alias. Case does not matter, and `-` or a space counts as `_`.
    pub fn from_name(name: &str) -> Option<EntityType> {
        let same = |known: &str| {
            known.len() == name.len()
                && known.bytes().zip(name.bytes()).all(|(k, n)| match n {
                    b'-' | b' ' => k == b'_',
                    _ => k == n.to_ascii_uppercase(),
                })
        };
        ALL.iter()
            .copied()
            .find(|kind| same(kind.as_str()))
            .or_else(|| ALIASES.iter().find(|(alias, _)| same(alias)).map(|(_, kind)| *kind))
    }
}

impl fmt::Display for EntityType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

const PASSPORTS: &[EntityType] = &[EntityType::UsPassport, EntityType::Passport];
const LICENSES: &[EntityType] = &[
    EntityType::UsDriverLicense,
    EntityType::UkDrivingLicence,
    EntityType::ItDriverLicense,
    EntityType::KrDriverLicense,
];
const FINANCIAL: &[EntityType] = &[
    EntityType::CreditCard,
    EntityType::IbanCode,
    EntityType::BankAccount,
    EntityType::AbaRouting,
    EntityType::Crypto,
];
const MEDICAL: &[EntityType] = &[
    EntityType::UsMbi,
    EntityType::UsNpi,
    EntityType::MedicalLicense,
    EntityType::UkNhs,
    EntityType::AuMedicare,
    EntityType::DeHealthInsurance,
];
const NATIONAL_IDS: &[EntityType] = &[
    EntityType::UsSsn,
    EntityType::UsItin,
    EntityType::UkNhs,
    EntityType::UkNino,
    EntityType::CaSin,
    EntityType::AuTfn,
    EntityType::AuMedicare,
    EntityType::DeTaxId,
    EntityType::DeSocialSecurity,
    EntityType::FrNir,
    EntityType::EsNif,
    EntityType::EsNie,
    EntityType::ItFiscalCode,
    EntityType::PtNif,
    EntityType::NlBsn,
    EntityType::BeNationalNumber,
    EntityType::ChAhv,
    EntityType::PlPesel,
    EntityType::SePersonnummer,
    EntityType::FiPersonalIdentityCode,
    EntityType::DkCpr,
    EntityType::NoFodselsnummer,
    EntityType::TrNationalId,
    EntityType::BrCpf,
    EntityType::MxCurp,
    EntityType::ClRut,
    EntityType::InAadhaar,
    EntityType::InPan,
    EntityType::CnResidentId,
    EntityType::JpMyNumber,
    EntityType::KrRrn,
    EntityType::SgNricFin,
    EntityType::ThTnin,
    EntityType::ZaId,
    EntityType::IlId,
    EntityType::ItIdentityCard,
    EntityType::AtSvnr,
    EntityType::IePps,
    EntityType::GrAmka,
    EntityType::GrAfm,
    EntityType::RoCnp,
    EntityType::BgEgn,
    EntityType::HrOib,
    EntityType::SiEmso,
    EntityType::CzBirthNumber,
    EntityType::EeIsikukood,
    EntityType::LtAsmensKodas,
    EntityType::LvPersonasKods,
    EntityType::IsKennitala,
    EntityType::RuInn,
    EntityType::RuSnils,
    EntityType::UaRntrc,
    EntityType::ArCuit,
    EntityType::DoCedula,
    EntityType::EcCedula,
    EntityType::MxRfc,
    EntityType::InVoter,
    EntityType::IdNik,
    EntityType::MyNric,
    EntityType::PkCnic,
    EntityType::TwNationalId,
    EntityType::NzIrd,
    EntityType::NgNin,
    EntityType::AeEmiratesId,
    EntityType::KeKraPin,
    EntityType::VeRif,
    EntityType::HkId,
    EntityType::ArDni,
    EntityType::UyCi,
];

/// The types of a named group: `all`, `none`, `pii`, `secrets` (or `credentials`), `financial`, `medical`,
/// `national_id`, `passport` (all kinds) and `driver_license` or `drivers_license` (all kinds). Case does not matter.
pub fn type_group(name: &str) -> Option<&'static [EntityType]> {
    const GROUPS: &[(&str, &[EntityType])] = &[
        ("all", ALL),
        // For a rule that has only the author's own patterns.
        ("none", &[]),
        ("pii", PII),
        ("secrets", SECRETS),
        ("credentials", SECRETS),
        ("financial", FINANCIAL),
        ("medical", MEDICAL),
        ("national_id", NATIONAL_IDS),
        ("passport", PASSPORTS),
        ("driver_license", LICENSES),
        ("drivers_license", LICENSES),
    ];
    GROUPS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, types)| *types)
}

/// A set of types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TypeSet(u128);

impl TypeSet {
    /// The empty set.
    pub const EMPTY: TypeSet = TypeSet(0);

    /// The set of every type.
    pub fn all() -> TypeSet {
        TypeSet::of(ALL)
    }

    /// The set of these types.
    pub fn of(types: &[EntityType]) -> TypeSet {
        types.iter().fold(TypeSet::EMPTY, |set, kind| set.with(*kind))
    }

    const fn bit(kind: EntityType) -> u128 {
        1 << (kind as u8)
    }

    /// The set with `kind` added.
    pub const fn with(self, kind: EntityType) -> TypeSet {
        TypeSet(self.0 | Self::bit(kind))
    }

    /// The set without `kind`.
    pub const fn without(self, kind: EntityType) -> TypeSet {
        TypeSet(self.0 & !Self::bit(kind))
    }

    /// Adds `kind`.
    pub fn insert(&mut self, kind: EntityType) {
        self.0 |= Self::bit(kind);
    }

    /// The union of both sets.
    pub const fn union(self, other: TypeSet) -> TypeSet {
        TypeSet(self.0 | other.0)
    }

    /// Whether `kind` is in the set.
    pub const fn contains(self, kind: EntityType) -> bool {
        self.0 & Self::bit(kind) != 0
    }

    /// Whether the sets have a type in common.
    pub const fn intersects(self, other: TypeSet) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The types in the set.
    pub fn iter(self) -> impl Iterator<Item = EntityType> {
        ALL.iter().copied().filter(move |kind| self.contains(*kind))
    }
}

// One bit per type.
const _: () = assert!(ALL.len() <= 128);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_and_alias_reads_back_and_none_is_claimed_twice() {
        let mut seen = std::collections::HashSet::new();
        for kind in EntityType::all() {
            assert_eq!(EntityType::from_name(kind.as_str()), Some(*kind));
            assert!(seen.insert(kind.as_str()));
        }
        for (alias, kind) in ALIASES {
            assert_eq!(EntityType::from_name(&alias.to_lowercase()), Some(*kind));
            assert!(seen.insert(alias), "{alias} is claimed twice");
        }
        assert_eq!(NAMES.len(), ALL.len());
    }
}
