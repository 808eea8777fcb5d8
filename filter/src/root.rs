//! The plugin in one VM: takes its configuration, and keeps what all exchanges of the VM share.
use std::cell::{Cell, RefCell};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use std::time::Duration;

use mesh_audit::TrustedKeys;
use mesh_detect::Detector;
use mesh_engine::{Breaker, Program};
use mesh_limits::Leases;
use mesh_policy::{Bundle, ServiceRef};
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;

use crate::discovery::Subscriber;
use crate::excess::Excess;
use crate::exchange::Exchange;
use crate::host;
use crate::kept;
use crate::outbox::Outbox;
use crate::renewal::Renewals;
use crate::subscription::Subscription;

/// How often the filter looks for records to send, leases to renew and streams to open.
const TICK: Duration = Duration::from_millis(20);

thread_local! {
    /// One per VM. Envoy makes a new root context for each configuration, while records of the old one are still on their way.
    static SHARED: Rc<Shared> = Rc::new(Shared::new());
}

/// What outlives a configuration.
pub(crate) struct Shared {
    /// The shipped detectors, built once.
    pub(crate) detector: Rc<Detector>,
    /// Records on their way.
    pub(crate) outbox: RefCell<Outbox>,
    /// The leases that this VM holds.
    pub(crate) leases: RefCell<Leases>,
    renewals: RefCell<Renewals>,
    /// Reports still to be sent to a foreign rate limit service.
    pub(crate) excess: RefCell<Excess>,
    /// Whether the judge has answered lately.
    pub(crate) breaker: RefCell<Breaker>,
    id: u64,
    /// The key of the programs' cache of judged texts; without randomness they cache nothing.
    key: Option<[u8; 16]>,
    exchanges: Cell<u64>,
    /// The root context of the newest configuration: the one that sends records and renews leases.
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
            exchanges: Cell::new(0),
            newest: Cell::new(0),
        }
    }

    /// Unique over VMs (by 64 random bits) and exchanges.
    pub(crate) fn decision_id(&self) -> String {
        self.exchanges.set(self.exchanges.get() + 1);
        format!("{:016x}-{}", self.id, self.exchanges.get())
    }
}

/// One configuration of the plugin.
pub(crate) struct Root {
    id: u32,
    program: Option<Rc<Program>>,
    /// Hash of the bundle that the program was compiled from.
    running: Option<u64>,
    subscription: Subscription,
}

impl Root {
    pub(crate) fn new(id: u32) -> Self {
        Root { id, program: None, running: None, subscription: Subscription::default() }
    }

    /// Runs a bundle for all exchanges that begin from now on.
    ///
    /// # Errors
    /// Why it cannot be run, which is also logged. The running program stays.
    fn run(&mut self, sent: &[u8]) -> Result<(), String> {
        let mut hasher = DefaultHasher::new();
        sent.hash(&mut hasher);
        let hash = Some(hasher.finish());
        // The first update of a new subscription brings the bundle that runs already.
        if hash == self.running {
            return Ok(());
        }
        let shared = SHARED.with(Rc::clone);
        let program = program(sent, &shared).inspect_err(|why| log::error!("{why}"))?;
        self.running = hash;
        shared.outbox.borrow_mut().configure(program.settings());
        shared.leases.borrow_mut().forget_limits();
        self.program = Some(Rc::new(match shared.key {
            Some(key) => program.remembering(key),
            None => program,
        }));
        Ok(())
    }

    /// Runs the newest bundle that a subscription of this Envoy has brought: Envoy restarts a crashed VM with the configuration that
    /// the first one had. A bundle that cannot be run is ignored; the subscription brings it again.
    fn catch_up(&mut self) {
        let Some(program) = &self.program else { return };
        let Some(cluster) = &program.settings().xds_cluster else { return };
        if let Some(newest) = kept::newest(cluster, program.version()) {
            let _ = self.run(&newest);
        }
    }

    /// Runs a bundle that the subscription has brought.
    fn run_update(&mut self, sent: &[u8]) -> Result<(), String> {
        self.run(sent)?;
        let program = self.program.as_ref();
        if let Some((program, cluster)) = program.and_then(|p| Some((p, p.settings().xds_cluster.as_ref()?)))
        {
            kept::keep(cluster, program.version(), sent);
        }
        Ok(())
    }

    fn subscribe(&mut self, now: u64) {
        let Some(settings) = self.program.as_ref().map(|program| program.settings()) else { return };
        let Some(cluster) = &settings.xds_cluster else { return self.subscription.end() };
        if self.subscription.is_due(now) {
            let node_cluster = host::node_cluster().unwrap_or_default();
            let instance = SHARED.with(|shared| format!("{:016x}", shared.id));
            let subscriber = Subscriber {
                id: &settings.sidecar,
                cluster: &node_cluster,
                instance: &instance,
                filters: host::node_filters(),
            };
            self.subscription.open(cluster, subscriber, now);
        }
    }

    /// The service that lends; `None` if leases could not be returned.
    fn lease_service(&self) -> Option<&ServiceRef> {
        let settings = self.program.as_ref()?.settings();
        settings.intake.as_ref().and(settings.rate_limit.as_ref()).filter(|_| !settings.foreign_limits)
    }
}

/// Verifies a bundle as it was sent, and compiles what this sidecar runs of it.
fn program(sent: &[u8], shared: &Shared) -> Result<Program, String> {
    let keys = match host::policy_keys() {
        Some(keys) => TrustedKeys::read(&keys),
        None => Ok(TrustedKeys::unknown()),
    };
    let opened = keys
        .and_then(|keys| keys.open(sent))
        .map_err(|untrusted| format!("the configuration is refused: {untrusted}"))?;
    let mut bundle: Bundle = serde_json::from_slice(opened)
        .map_err(|error| format!("the configuration is not a policy bundle: {error}"))?;
    // All sidecars of a control plane get one bundle; each has a name of its own.
    if let Some(id) = host::node_id() {
        bundle.settings.sidecar = id;
    }
    let sidecar = bundle.settings.sidecar.clone();
    let bundle = bundle.for_sidecar(&sidecar);
    mesh_engine::compile(&bundle, Rc::clone(&shared.detector)).map_err(|refused| {
        let reasons: Vec<String> = refused.iter().map(ToString::to_string).collect();
        format!("the bundle {} is refused: {}", bundle.version, reasons.join("; "))
    })
}

/// Envoy drops a root context when its configuration is replaced and its last exchange has ended.
impl Drop for Root {
    fn drop(&mut self) {
        // While the VM itself goes down, there may be no shared state any more.
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
        shared.outbox.borrow_mut().answered(token, status, &answer, host::now(), &mut leases);
    }

    fn on_grpc_stream_message(&mut self, stream: u32, _size: usize) {
        // Running a bundle borrows the whole root context, of which the subscription is a part.
        let mut subscription = std::mem::take(&mut self.subscription);
        if subscription.is(stream) {
            subscription.message(&host::grpc_answer(), |bundle| self.run_update(bundle));
        }
        self.subscription = subscription;
    }

    fn on_grpc_stream_close(&mut self, stream: u32, _status: u32) {
        if self.subscription.is(stream) {
            self.subscription.closed(host::now());
        }
    }
}

impl RootContext for Root {
    /// False refuses the configuration (a NACK): the program that runs stays.
    fn on_configure(&mut self, _size: usize) -> bool {
        let shared = SHARED.with(Rc::clone);
        if self.run(&host::configuration()).is_err() {
            return false;
        }
        self.catch_up();
        shared.newest.set(self.id);
        host::tick_every(TICK);
        true
    }

    fn on_tick(&mut self) {
        let now = host::now();
        // Every root context subscribes for itself: one VM may serve several filters.
        self.subscribe(now);
        let shared = SHARED.with(Rc::clone);
        if shared.newest.get() == self.id {
            let mut leases = shared.leases.borrow_mut();
            leases.advance(now / 1000);
            if let Some(service) = self.lease_service() {
                shared.renewals.borrow_mut().ask(&mut leases, service, now, || shared.decision_id());
            }
            let foreign =
                self.program.as_ref().map(|program| program.settings()).filter(|s| s.foreign_limits);
            if let Some(service) = foreign.and_then(|settings| settings.rate_limit.as_ref()) {
                shared.excess.borrow_mut().report(service);
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
