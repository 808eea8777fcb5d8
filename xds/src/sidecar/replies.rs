//! Answers that Envoy makes itself, when no upstream and no filter of ours did: as JSON, so that clients which expect
//! JSON can show them. What the filter answers stays as it is.
use std::collections::BTreeMap;

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
        body_format_override: Some(error("%LOCAL_REPLY_BODY%", "%RESPONSE_CODE_DETAILS%")),
        ..ResponseMapper::default()
    };
    LocalReplyConfig { mappers: vec![mapper], ..LocalReplyConfig::default() }
}

/// `{"error": {"message": …, "type": "ai_mesh_error", "code": …}}`
pub(super) fn error(message: &str, code: &str) -> SubstitutionFormatString {
    let fields = [("message", text(message)), ("type", text("ai_mesh_error")), ("code", text(code))];
    let outer = object([("error", Value { kind: Some(Kind::StructValue(object(fields))) })]);
    SubstitutionFormatString {
        format: Some(Format::JsonFormat(outer)),
        ..SubstitutionFormatString::default()
    }
}

fn text(text: &str) -> Value {
    Value { kind: Some(Kind::StringValue(text.to_owned())) }
}

fn object<const N: usize>(fields: [(&str, Value); N]) -> Struct {
    let fields: BTreeMap<String, Value> = fields.map(|(name, value)| (name.to_owned(), value)).into();
    Struct { fields: fields.into_iter().collect() }
}
