//! placeholder

pub mod config;
pub mod pki;
pub mod tls;
pub mod websocket;
