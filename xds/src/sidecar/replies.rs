//! Answers that Envoy makes itself, when no upstream and no filter of ours did: as JSON, so that clients which expect
//! JSON can show them. What the filter answers stays as it is.
use envoy_types::pb::{
    envoy::{
        config::{
            accesslog::v3::{AccessLogFilter, ResponseFlagFilter, access_log_filter::FilterSpecifier},
            core::v3::{SubstitutionFormatString, substitution_format_string::Format},
        },
        extensions::filters::network::http_connection_manager::v3::{LocalReplyConfig, ResponseMapper},
    },
    google::protobuf::{Struct, Value, value::Kind},
};

/// Flags of answers that come of the connection to the upstream or of the request's form: `%RESPONSE_FLAGS%` in
/// Envoy's documentation. The filter's answers have none of them.
const FLAGS: [&str; 12] = ["UH", "UF", "UO", "NR", "NC", "UT", "UC", "UR", "UPE", "DPE", "SI", "OM"];

/// The mapping of Envoy's own answers.
pub(super) fn of_envoy_itself() -> LocalReplyConfig {
    let flags = ResponseFlagFilter { flags: FLAGS.iter().map(|flag| (*flag).to_owned()).collect() };
    let mapper = ResponseMapper {
        filter: Some(AccessLogFilter { filter_specifier: Some(FilterSpecifier::ResponseFlagFilter(flags)) }),
        body_format_override: Some(error("%LOCAL_REPLY_BODY% (%RESPONSE_CODE_DETAILS%)")),
        ..ResponseMapper::default()
    };
    LocalReplyConfig { mappers: vec![mapper], ..LocalReplyConfig::default() }
}

/// `{"error": {"message": …}}`. One field in each object: the order of several would differ from one encoding to the
/// next, and make the listener look changed.
fn error(message: &str) -> SubstitutionFormatString {
    let message = Value { kind: Some(Kind::StringValue(message.to_owned())) };
    let error = Value { kind: Some(Kind::StructValue(object("message", message))) };
    let format = Some(Format::JsonFormat(object("error", error)));
    SubstitutionFormatString { format, ..SubstitutionFormatString::default() }
}

fn object(name: &str, value: Value) -> Struct {
    Struct { fields: [(name.to_owned(), value)].into() }
}
