//! Answers that Envoy makes itself, when no upstream and no filter of ours did: as JSON, so that clients which expect
//! JSON can show them. What the filter answers stays as it is.
use envoy_types::pb::{
    envoy::{
        config::{
            accesslog::v3::{
                AccessLogFilter, ExtensionFilter, ResponseFlagFilter, access_log_filter::FilterSpecifier,
                extension_filter,
            },
            core::v3::{SubstitutionFormatString, substitution_format_string::Format},
        },
        extensions::access_loggers::filters::cel::v3::ExpressionFilter,
        extensions::filters::network::http_connection_manager::v3::{LocalReplyConfig, ResponseMapper},
    },
    google::protobuf::{Struct, Value, value::Kind},
};

use super::pb::any;

/// Flags of answers that come of the connection to the upstream or of the request's form: `%RESPONSE_FLAGS%` in
/// Envoy's documentation. The filter's answers have none of them.
const FLAGS: [&str; 12] = ["UH", "UF", "UO", "NR", "NC", "UT", "UC", "UR", "UPE", "DPE", "SI", "OM"];

/// What Envoy notes when it ends a request because the filter's virtual machine is down.
const FILTER_DOWN: &str = "response.code_details == 'wasm_fail_stream'";

/// The mapping of Envoy's own answers.
pub(super) fn of_envoy_itself() -> LocalReplyConfig {
    let flags = ResponseFlagFilter { flags: FLAGS.iter().map(|flag| (*flag).to_owned()).collect() };
    let filter_down = ExtensionFilter {
        name: "envoy.access_loggers.extension_filters.cel".to_owned(),
        config_type: Some(extension_filter::ConfigType::TypedConfig(any(&ExpressionFilter {
            expression: FILTER_DOWN.to_owned(),
            ..ExpressionFilter::default()
        }))),
    };
    LocalReplyConfig {
        mappers: vec![
            mapper(
                FilterSpecifier::ExtensionFilter(filter_down),
                "The policy filter is not running. It is being restarted; nothing passes without it.",
            ),
            mapper(
                FilterSpecifier::ResponseFlagFilter(flags),
                "%LOCAL_REPLY_BODY% (%RESPONSE_CODE_DETAILS%)",
            ),
        ],
        ..LocalReplyConfig::default()
    }
}

fn mapper(condition: FilterSpecifier, message: &str) -> ResponseMapper {
    ResponseMapper {
        filter: Some(AccessLogFilter { filter_specifier: Some(condition) }),
        body_format_override: Some(error(message)),
        ..ResponseMapper::default()
    }
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
