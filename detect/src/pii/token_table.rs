//! Tokens with a distinctive prefix, as their issuers document them.

use crate::EntityType::{self, *};
use crate::bytes::at;

/// The characters that may follow a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// Letters, digits, `_`, `-`.
    Word,
    /// Letters and digits.
    Alnum,
    /// Hexadecimal digits.
    Hex,
    /// Capital letters and digits.
    Upper,
}

/// A kind of token: prefix, alphabet, minimum and maximum length of what follows.
pub(super) struct Token {
    pub(super) prefix: &'static str,
    pub(super) body: Body,
    pub(super) least: usize,
    pub(super) most: usize,
    pub(super) kind: EntityType,
}

const ANY: usize = 4096;

const fn t(prefix: &'static str, body: Body, least: usize, most: usize, kind: EntityType) -> Token {
    Token { prefix, body, least, most, kind }
}

/// For each first byte of a prefix, the possible second bytes, by their lowest six bits: hardly any run that is not a
/// token passes this test.
static BEGINS: [u64; 128] = begins();

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated when it is compiled; every prefix has two bytes of ASCII"
)]
const fn begins() -> [u64; 128] {
    let mut begins = [0; 128];
    let mut i = 0;
    while i < TOKENS.len() {
        let prefix = TOKENS[i].prefix.as_bytes();
        begins[prefix[0] as usize] |= 1 << (prefix[1] % 64);
        i += 1;
    }
    begins
}

/// The tokens that may begin a run, in search order.
#[inline]
pub(super) fn beginning(run: &[u8]) -> impl Iterator<Item = &'static Token> {
    let second = |first: u8| BEGINS.get(usize::from(first)).copied().unwrap_or(0);
    let may = second(at(run, 0)) >> (at(run, 1) % 64) & 1 != 0;
    let tokens = if may { TOKENS } else { &[] };
    tokens.iter().filter(move |token| run.starts_with(token.prefix.as_bytes()))
}

/// In search order: a longer prefix comes before a shorter one that it contains.
const TOKENS: &[Token] = &[
    // Amazon Web Services: access key ids by resource type
    t("AKIA", Body::Upper, 16, 16, AwsAccessKey),
    t("ASIA", Body::Upper, 16, 16, AwsAccessKey),
    t("ABIA", Body::Upper, 16, 16, AwsAccessKey),
    t("ACCA", Body::Upper, 16, 16, AwsAccessKey),
    t("A3T", Body::Upper, 17, 17, AwsAccessKey),
    t("ABSK", Body::Alnum, 100, 140, AwsAccessKey),
    // Google
    t("AIza", Body::Word, 35, 35, GoogleApiKey),
    t("GOCSPX-", Body::Word, 28, 28, GoogleApiKey),
    // GitHub, GitLab and other code hosts
    t("github_pat_", Body::Word, 36, 100, GithubToken),
    t("ghp_", Body::Alnum, 36, 251, GithubToken),
    t("gho_", Body::Alnum, 36, 251, GithubToken),
    t("ghu_", Body::Alnum, 36, 251, GithubToken),
    t("ghs_", Body::Alnum, 36, 251, GithubToken),
    t("ghr_", Body::Alnum, 36, 251, GithubToken),
    t("glpat-", Body::Word, 20, 20, GitlabToken),
    t("glpat-", Body::Word, 27, 300, GitlabToken),
    t("glcbt-", Body::Word, 20, 26, GitlabToken),
    t("gldt-", Body::Word, 20, 20, GitlabToken),
    t("glrt-", Body::Word, 20, 20, GitlabToken),
    t("glrt-t", Body::Word, 20, 300, GitlabToken),
    t("glrtr-", Body::Word, 20, 300, GitlabToken),
    t("glptt-", Body::Hex, 40, 40, GitlabToken),
    t("glft-", Body::Word, 20, 20, GitlabToken),
    t("glffct-", Body::Word, 20, 20, GitlabToken),
    t("glimt-", Body::Word, 25, 25, GitlabToken),
    t("glagent-", Body::Word, 50, 1024, GitlabToken),
    t("gloas-", Body::Word, 64, 64, GitlabToken),
    t("glsoat-", Body::Word, 20, 20, GitlabToken),
    t("GR1348941", Body::Word, 20, 20, GitlabToken),
    t("BBDC-", Body::Alnum, 40, 50, ApiKey),
    t("ATATT3", Body::Word, 40, ANY, ApiKey),
    t("ATCTT3", Body::Word, 40, ANY, ApiKey),
    t("ATBB", Body::Alnum, 32, 32, ApiKey),
    // Providers of language models
    t("sk-ant-", Body::Word, 24, 200, AnthropicApiKey),
    t("sk-proj-", Body::Word, 32, 200, OpenaiApiKey),
    t("sk-svcacct-", Body::Word, 32, 200, OpenaiApiKey),
    t("sk-admin-", Body::Word, 32, 200, OpenaiApiKey),
    t("sk-None-", Body::Word, 32, 200, OpenaiApiKey),
    t("sk-or-v1-", Body::Hex, 64, 64, LlmApiKey),
    t("sk-lf-", Body::Word, 36, 36, LlmApiKey),
    t("hf_", Body::Alnum, 30, 40, LlmApiKey),
    t("api_org_", Body::Alnum, 30, 40, LlmApiKey),
    t("gsk_", Body::Alnum, 48, 60, LlmApiKey),
    t("r8_", Body::Alnum, 37, 40, LlmApiKey),
    t("xai-", Body::Alnum, 70, 90, LlmApiKey),
    t("pplx-", Body::Alnum, 40, 64, LlmApiKey),
    t("nvapi-", Body::Word, 60, 70, LlmApiKey),
    t("tvly-", Body::Word, 28, 48, LlmApiKey),
    t("lsv2_", Body::Word, 32, 64, LlmApiKey),
    t("fw_", Body::Alnum, 22, 24, LlmApiKey),
    t("sk-", Body::Word, 32, 200, OpenaiApiKey),
    // Chat
    t("xoxb-", Body::Word, 14, 200, SlackToken),
    t("xoxp-", Body::Word, 14, 200, SlackToken),
    t("xoxa-", Body::Word, 14, 200, SlackToken),
    t("xoxr-", Body::Word, 14, 200, SlackToken),
    t("xoxs-", Body::Word, 14, 200, SlackToken),
    t("xoxo-", Body::Word, 14, 200, SlackToken),
    t("xoxe-", Body::Word, 14, 300, SlackToken),
    t("xoxc-", Body::Word, 14, 200, SlackToken),
    t("xoxd-", Body::Word, 14, 300, SlackToken),
    t("xapp-", Body::Word, 14, 200, SlackToken),
    // Payment and commerce
    t("sk_live_", Body::Alnum, 10, 110, StripeKey),
    t("sk_test_", Body::Alnum, 10, 110, StripeKey),
    t("sk_prod_", Body::Alnum, 10, 110, StripeKey),
    t("rzp_live_", Body::Alnum, 14, 24, PaymentKey),
    t("rzp_test_", Body::Alnum, 14, 24, PaymentKey),
    t("rk_live_", Body::Alnum, 10, 110, StripeKey),
    t("rk_test_", Body::Alnum, 10, 110, StripeKey),
    t("rk_prod_", Body::Alnum, 10, 110, StripeKey),
    t("whsec_", Body::Alnum, 24, 64, StripeKey),
    t("sq0csp-", Body::Word, 22, 60, PaymentKey),
    t("sq0atp-", Body::Word, 22, 60, PaymentKey),
    t("EAAA", Body::Word, 56, 70, PaymentKey),
    t("shpat_", Body::Hex, 32, 32, PaymentKey),
    t("shpca_", Body::Hex, 32, 32, PaymentKey),
    t("shppa_", Body::Hex, 32, 32, PaymentKey),
    t("shpss_", Body::Hex, 32, 32, PaymentKey),
    t("EZAK", Body::Alnum, 54, 54, PaymentKey),
    t("EZTK", Body::Alnum, 54, 54, PaymentKey),
    t("FLWSECK_TEST-", Body::Word, 12, 40, PaymentKey),
    t("FLWSECK-", Body::Word, 12, 40, PaymentKey),
    t("FLWPUBK_TEST-", Body::Alnum, 12, 40, PaymentKey),
    t("shippo_live_", Body::Hex, 40, 40, PaymentKey),
    t("shippo_test_", Body::Hex, 40, 40, PaymentKey),
    t("duffel_live_", Body::Word, 40, 48, PaymentKey),
    t("duffel_test_", Body::Word, 40, 48, PaymentKey),
    t("live_", Body::Hex, 35, 35, PaymentKey),
    t("test_", Body::Hex, 35, 35, PaymentKey),
    // Package registries and containers
    t("npm_", Body::Alnum, 36, 36, PackageToken),
    t("pypi-AgEIcHlwaS5vcmc", Body::Word, 70, ANY, PackageToken),
    t("pypi-AgENdGVzdC5weXBpLm9yZw", Body::Word, 70, ANY, PackageToken),
    t("rubygems_", Body::Hex, 48, 48, PackageToken),
    t("dckr_pat_", Body::Word, 27, 40, PackageToken),
    t("dckr_oat_", Body::Word, 27, 40, PackageToken),
    t("CLOJARS_", Body::Alnum, 60, 60, PackageToken),
    t("oy2", Body::Alnum, 43, 43, PackageToken),
    // Mail and messages
    t("xkeysib-", Body::Word, 64, 90, MailKey),
    t("xsmtpsib-", Body::Word, 64, 90, MailKey),
    // Clouds, platforms, observability and tools
    t("dop_v1_", Body::Hex, 64, 64, ApiKey),
    t("doo_v1_", Body::Hex, 64, 64, ApiKey),
    t("dor_v1_", Body::Hex, 64, 64, ApiKey),
    t("LTAI", Body::Alnum, 12, 24, ApiKey),
    t("AKID", Body::Alnum, 32, 36, ApiKey),
    t("dapi", Body::Hex, 32, 34, ApiKey),
    t("PMAK-", Body::Word, 59, 60, ApiKey),
    t("pscale_", Body::Word, 32, 80, ApiKey),
    t("pul-", Body::Hex, 40, 40, ApiKey),
    t("rdme_", Body::Alnum, 70, 70, ApiKey),
    t("sntrys_", Body::Word, 40, ANY, ApiKey),
    t("sntryu_", Body::Hex, 64, 64, ApiKey),
    t("sgp_", Body::Word, 40, 60, ApiKey),
    t("slk_", Body::Hex, 64, 64, ApiKey),
    t("lin_api_", Body::Alnum, 40, 40, ApiKey),
    t("ntn_", Body::Alnum, 40, 50, ApiKey),
    t("secret_", Body::Alnum, 43, 43, ApiKey),
    t("figd_", Body::Word, 36, 60, ApiKey),
    t("CFPAT-", Body::Word, 43, 43, ApiKey),
    t("API-", Body::Upper, 26, 26, ApiKey),
    t("NRAK-", Body::Upper, 27, 27, ApiKey),
    t("NRJS-", Body::Hex, 19, 19, ApiKey),
    t("NRII-", Body::Word, 32, 32, ApiKey),
    t("NRIQ-", Body::Word, 32, 32, ApiKey),
    t("glsa_", Body::Word, 41, 41, ApiKey),
    t("glc_", Body::Word, 32, 400, ApiKey),
    t("fo1_", Body::Word, 43, 43, ApiKey),
    t("HRKU-", Body::Word, 36, 62, ApiKey),
    t("ico-", Body::Alnum, 32, 32, ApiKey),
    t("nfp_", Body::Alnum, 36, 40, ApiKey),
    t("sbp_", Body::Hex, 40, 40, ApiKey),
    t("sb_secret_", Body::Word, 22, 60, ApiKey),
    t("tskey-", Body::Word, 20, 80, ApiKey),
    t("bkua_", Body::Hex, 40, 40, ApiKey),
    t("CCIPAT_", Body::Word, 40, 80, ApiKey),
    t("squ_", Body::Hex, 40, 40, ApiKey),
    t("sqp_", Body::Hex, 40, 40, ApiKey),
    t("sqa_", Body::Hex, 40, 40, ApiKey),
    t("tfp_", Body::Word, 40, 64, ApiKey),
    t("aio_", Body::Alnum, 28, 28, ApiKey),
    t("apify_api_", Body::Alnum, 36, 40, ApiKey),
    t("lin_oauth_", Body::Hex, 64, 64, ApiKey),
    t("vercel_blob_rw_", Body::Word, 32, 80, ApiKey),
    t("rpa_", Body::Alnum, 40, 48, LlmApiKey),
    t("sk_", Body::Hex, 48, 48, LlmApiKey),
    t("ops_eyJ", Body::Word, 200, ANY, ApiKey),
    t("AGE-SECRET-KEY-1", Body::Upper, 58, 58, PrivateKey),
    t("A3-", Body::Word, 32, 40, ApiKey),
    t("p8e-", Body::Alnum, 32, 32, ApiKey),
    t("patu_", Body::Alnum, 30, 60, ApiKey),
    t("pat-na1-", Body::Word, 36, 36, ApiKey),
    t("pat-eu1-", Body::Word, 36, 36, ApiKey),
    t("phc_", Body::Alnum, 43, 43, ApiKey),
    t("phx_", Body::Alnum, 43, 43, ApiKey),
    t("zpka_", Body::Word, 30, 60, ApiKey),
    t("r4tk_", Body::Alnum, 30, 60, ApiKey),
    t("SCW", Body::Upper, 17, 17, ApiKey),
    t("sm_aat_", Body::Alnum, 16, 16, ApiKey),
    t("sm_pat_", Body::Alnum, 16, 16, ApiKey),
    t("sm_sat_", Body::Alnum, 16, 16, ApiKey),
    t("waka_", Body::Word, 36, 36, ApiKey),
    t("prefect_", Body::Word, 36, 40, ApiKey),
    t("pnu_", Body::Alnum, 36, 36, ApiKey),
    t("key-", Body::Hex, 32, 32, MailKey),
    // Other prefixes known to secret scanners
    t("AKCp", Body::Alnum, 69, 69, ApiKey),
    t("cmVmd", Body::Alnum, 59, 59, ApiKey),
    t("AQVN", Body::Word, 35, 38, ApiKey),
    t("YC", Body::Word, 38, 38, ApiKey),
    t("dnkey-", Body::Word, 79, 79, ApiKey),
    t("4b1d", Body::Alnum, 38, 38, ApiKey),
    t("fio-u-", Body::Word, 60, 70, ApiKey),
    t("s-s4t2ud-", Body::Hex, 64, 64, ApiKey),
    t("s-s4t2af-", Body::Hex, 64, 64, ApiKey),
    t("live_pub_", Body::Hex, 31, 31, PaymentKey),
    t("test_pub_", Body::Hex, 31, 31, PaymentKey),
    t("pubkey-", Body::Hex, 32, 32, MailKey),
    t("tk-us-", Body::Word, 48, 48, ApiKey),
    t("access-sandbox-", Body::Word, 36, 36, PaymentKey),
    t("access-development-", Body::Word, 36, 36, PaymentKey),
    t("access-production-", Body::Word, 36, 36, PaymentKey),
    t("sgp_local_", Body::Hex, 40, 40, ApiKey),
    t("fm1r_", Body::Word, 100, ANY, ApiKey),
    t("fm1a_", Body::Word, 100, ANY, ApiKey),
    t("fm2_", Body::Word, 100, ANY, ApiKey),
    t("sat_", Body::Alnum, 36, 64, ApiKey),
    t("rnd_", Body::Alnum, 28, 40, ApiKey),
    t("re_", Body::Word, 28, 36, MailKey),
    t("mlsn_", Body::Hex, 60, 70, MailKey),
    t("vcp_", Body::Alnum, 24, 60, ApiKey),
    t("AVNS_", Body::Word, 19, 19, ApiKey),
    t("cfut_", Body::Alnum, 40, 60, ApiKey),
    t("dp_pt_", Body::Alnum, 40, 44, ApiKey),
    t("ddp_", Body::Alnum, 36, 40, ApiKey),
    t("ghu-", Body::Alnum, 36, 40, ApiKey),
    t("ATCTT", Body::Word, 60, ANY, ApiKey),
    t("tgp_v1_", Body::Word, 40, 60, LlmApiKey),
    t("csk-", Body::Alnum, 40, 60, LlmApiKey),
    t("jina_", Body::Word, 50, 70, LlmApiKey),
    t("pa-", Body::Word, 40, 48, LlmApiKey),
    t("pcsk_", Body::Word, 60, 80, LlmApiKey),
    t("BSA", Body::Word, 27, 30, LlmApiKey),
    t("fc-", Body::Hex, 32, 32, LlmApiKey),
    t("e2b_", Body::Hex, 40, 40, LlmApiKey),
    t("ak-", Body::Alnum, 22, 24, LlmApiKey),
    t("EAACEdEose0cBA", Body::Alnum, 20, ANY, ApiKey),
    t("EAAM", Body::Alnum, 80, ANY, ApiKey),
    t("EAAC", Body::Alnum, 80, ANY, ApiKey),
    t("EAA", Body::Alnum, 100, ANY, ApiKey),
];
