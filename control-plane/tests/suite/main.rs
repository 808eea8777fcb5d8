//! The control plane as a whole: started on its ports, called over the network, stopped and started again on its data.

mod grpc;
mod lasting;
mod starting;
mod support;
