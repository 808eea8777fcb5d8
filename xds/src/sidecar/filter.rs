//! The filter's program and policies, as the extension (ECDS) that Envoy loads.
use envoy_types::pb::{
    envoy::{
        config::core::v3::{
            AsyncDataSource, DataSource, TypedExtensionConfig, async_data_source, data_source,
        },
        extensions::{
            filters::http::wasm::v3::Wasm,
            wasm::v3::{FailurePolicy, PluginConfig, VmConfig, plugin_config::Vm},
        },
    },
    google::protobuf::StringValue,
};

use super::{
    FILTER,
    pb::{any, bool_value},
};

/// The filter with this module and configuration. The virtual machine's part never depends on the configuration: a
/// policy change configures the running machine anew and does not replace it.
pub(super) fn extension(module: &str, configuration: &str) -> TypedExtensionConfig {
    let code = DataSource {
        specifier: Some(data_source::Specifier::Filename(module.to_owned())),
        ..DataSource::default()
    };
    let vm = VmConfig {
        vm_id: FILTER.to_owned(),
        runtime: "envoy.wasm.runtime.v8".to_owned(),
        code: Some(AsyncDataSource { specifier: Some(async_data_source::Specifier::Local(code)) }),
        ..VmConfig::default()
    };
    let plugin = PluginConfig {
        name: FILTER.to_owned(),
        root_id: FILTER.to_owned(),
        configuration: Some(any(&StringValue { value: configuration.to_owned() })),
        // While a crashed machine is down, Envoy answers 503 itself.
        failure_policy: FailurePolicy::FailReload as i32,
        // Without it a pause at the headers would keep the body from the filter, or continuing would send the headers
        // on before the verdict.
        allow_on_headers_stop_iteration: bool_value(true),
        vm: Some(Vm::VmConfig(vm)),
        ..PluginConfig::default()
    };
    let filter = Wasm { config: Some(plugin) };
    TypedExtensionConfig { name: FILTER.to_owned(), typed_config: Some(any(&filter)) }
}
