//! The plugin in one VM: takes its configuration, and keeps what all exchanges of the VM share.
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use mesh_detect::Detector;
use mesh_engine::Program;
use mesh_policy::Bundle;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;

use crate::exchange::Exchange;
use crate::host;
use crate::outbox::Outbox;

/// How often unsent records are looked at.
const TICK: Duration = Duration::from_millis(20);

thread_local! {
    /// One for the VM, whatever the number of configurations it has seen: a policy push makes a new root context,
    /// while records of the old one are still on their way.
    static SHARED: Rc<Shared> = Rc::new(Shared::new());
}

/// What outlives a configuration.
pub(crate) struct Shared {
    /// The shipped detectors, built once.
    pub(crate) detector: Rc<Detector>,
    /// Records on their way.
    pub(crate) outbox: RefCell<Outbox>,
    id: u64,
    exchanges: RefCell<u64>,
}

impl Shared {
    fn new() -> Self {
        let id = host::random();
        Shared {
            detector: Rc::new(Detector::new()),
            outbox: RefCell::new(Outbox::new(format!("{id:016x}"))),
            id,
            exchanges: RefCell::new(0),
        }
    }

    /// Unique over VMs (by 64 random bits) and exchanges.
    pub(crate) fn decision_id(&self) -> String {
        let mut exchanges = self.exchanges.borrow_mut();
        *exchanges += 1;
        format!("{:016x}-{}", self.id, *exchanges)
    }
}

/// One configuration of the plugin.
#[derive(Default)]
pub(crate) struct Root {
    program: Option<Rc<Program>>,
}

impl Context for Root {
    fn on_grpc_call_response(&mut self, token: u32, status: u32, _size: usize) {
        let answer = if status == 0 { host::grpc_answer() } else { Vec::new() };
        let shared = SHARED.with(Rc::clone);
        shared.outbox.borrow_mut().answered(token, status == 0, &answer, host::now());
    }
}

impl RootContext for Root {
    /// False refuses the configuration (a NACK): the program that runs stays.
    fn on_configure(&mut self, _size: usize) -> bool {
        let shared = SHARED.with(Rc::clone);
        let bundle: Bundle = match serde_json::from_slice(&host::configuration()) {
            Ok(bundle) => bundle,
            Err(error) => {
                log::error!("the configuration is not a policy bundle: {error}");
                return false;
            }
        };
        match mesh_engine::compile(&bundle, Rc::clone(&shared.detector)) {
            Ok(program) => {
                shared.outbox.borrow_mut().configure(program.settings());
                self.program = Some(Rc::new(program));
                host::tick_every(TICK);
                true
            }
            Err(refused) => {
                for policy in refused {
                    log::error!("the bundle {} is refused: {policy}", bundle.version);
                }
                false
            }
        }
    }

    fn on_tick(&mut self) {
        let shared = SHARED.with(Rc::clone);
        shared.outbox.borrow_mut().flush(host::now());
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Exchange::new(self.program.clone(), SHARED.with(Rc::clone))))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
