//! The plugin in one VM: takes its configuration, and keeps what all exchanges of the VM share.
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use mesh_audit::TrustedKeys;
use mesh_detect::Detector;
use mesh_engine::{Breaker, Program};
use mesh_limits::Leases;
use mesh_policy::{Bundle, ServiceRef};
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;

use crate::excess::Excess;
use crate::exchange::Exchange;
use crate::host;
use crate::outbox::Outbox;
use crate::renewal::Renewals;

/// How often unsent records are looked at. Each policy push begins it anew, so it is shorter than pushes are apart.
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
    /// What is lent to this VM of limits.
    pub(crate) leases: RefCell<Leases>,
    renewals: RefCell<Renewals>,
    /// What a rate limit service that is not the control plane is to be told.
    pub(crate) excess: RefCell<Excess>,
    /// How the judge has answered lately.
    pub(crate) breaker: RefCell<Breaker>,
    id: u64,
    /// Under which programs remember what they judged; without randomness they don't.
    key: Option<[u8; 16]>,
    exchanges: RefCell<u64>,
    /// The root context of the newest configuration: the one that sends records.
    newest: Cell<u32>,
}

impl Shared {
    fn new() -> Self {
        let id = host::random();
        Shared {
            detector: Rc::new(Detector::new()),
            outbox: RefCell::new(Outbox::new(format!("{id:016x}"))),
            leases: RefCell::default(),
            renewals: RefCell::default(),
            excess: RefCell::default(),
            breaker: RefCell::default(),
            id,
            key: host::secret(),
            exchanges: RefCell::new(0),
            newest: Cell::new(0),
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
pub(crate) struct Root {
    id: u32,
    program: Option<Rc<Program>>,
}

impl Root {
    pub(crate) fn new(id: u32) -> Self {
        Root { id, program: None }
    }

    /// Who lends; nobody where leases could not be returned.
    fn lends(&self) -> Option<&ServiceRef> {
        let settings = self.program.as_ref()?.settings();
        settings.intake.as_ref().and(settings.rate_limit.as_ref()).filter(|_| !settings.foreign_limits)
    }
}

/// Envoy drops a root context when its configuration is replaced and its last exchange has ended.
impl Drop for Root {
    fn drop(&mut self) {
        // While the VM itself goes down there is nothing left to tell.
        let _ = SHARED.try_with(|shared| shared.outbox.borrow_mut().orphan(self.id));
    }
}

impl Context for Root {
    fn on_grpc_call_response(&mut self, token: u32, status: u32, _size: usize) {
        let answer = if status == 0 { host::grpc_answer() } else { Vec::new() };
        let shared = SHARED.with(Rc::clone);
        let mut leases = shared.leases.borrow_mut();
        if shared.renewals.borrow_mut().answered(token, &answer, &mut leases) {
            return;
        }
        shared.outbox.borrow_mut().answered(token, status == 0, &answer, host::now(), &mut leases);
    }
}

impl RootContext for Root {
    /// False refuses the configuration (a NACK): the program that runs stays.
    fn on_configure(&mut self, _size: usize) -> bool {
        let shared = SHARED.with(Rc::clone);
        let sent = host::configuration();
        let keys =
            host::policy_keys().map_or_else(|| Ok(TrustedKeys::unknown()), |keys| TrustedKeys::read(&keys));
        let opened = match keys.and_then(|keys| keys.open(&sent)) {
            Ok(opened) => opened,
            Err(untrusted) => {
                log::error!("the configuration is refused: {untrusted}");
                return false;
            }
        };
        let mut bundle: Bundle = match serde_json::from_slice(opened) {
            Ok(bundle) => bundle,
            Err(error) => {
                log::error!("the configuration is not a policy bundle: {error}");
                return false;
            }
        };
        // All sidecars of a control plane get one bundle; each has a name of its own.
        if let Some(id) = host::node_id() {
            bundle.settings.sidecar = id;
        }
        let sidecar = bundle.settings.sidecar.clone();
        let bundle = bundle.for_sidecar(&sidecar);
        match mesh_engine::compile(&bundle, Rc::clone(&shared.detector)) {
            Ok(program) => {
                shared.outbox.borrow_mut().configure(program.settings());
                shared.leases.borrow_mut().forget_limits();
                self.program = Some(Rc::new(match shared.key {
                    Some(key) => program.remembering(key),
                    None => program,
                }));
                shared.newest.set(self.id);
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
        if shared.newest.get() == self.id {
            let now = host::now();
            let mut leases = shared.leases.borrow_mut();
            leases.advance(now / 1000);
            if let Some(service) = self.lends() {
                shared.renewals.borrow_mut().ask(&mut leases, service, now, || shared.decision_id());
            }
            let foreign =
                self.program.as_ref().map(|program| program.settings()).filter(|s| s.foreign_limits);
            if let Some(service) = foreign.and_then(|settings| settings.rate_limit.as_ref()) {
                shared.excess.borrow_mut().tell(service);
            }
            shared.outbox.borrow_mut().flush(self.id, now, &leases);
        }
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Exchange::new(self.program.clone(), SHARED.with(Rc::clone))))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
