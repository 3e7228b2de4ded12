//! The cloud link of an edge node, for programs that want to embed it.
//!
//! This crate does; `edgehub-core` decides. Here are the sockets, the TLS, the clocks and the files that drive the
//! core's state machines, and nothing that knows why.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use edgehub::{EdgeHub, Options, config::NodeConfig};
//! let (config, _warnings) = NodeConfig::load("edgecore.yaml".as_ref())?;
//! let (hub, driver) = EdgeHub::new(Options::from_config(&config)?);
//! smol::spawn(driver.run()).detach();
//! let module = hub.join("meter", &["bus"]).await?;
//! module.send(module.compose("resource", "update", "default/meter/1", &21.5)?).await?;
//! while let Some(message) = module.receive().await {
//!     println!("{} {} {}", message.source(), message.operation(), message.resource());
//! }
//! # Ok(()) }
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`edge`] | the edge hub: its handle, its modules, its driver |
//! | [`server`] | the embedded CloudHub |
//! | [`journal`] | what survives a crash: the durable journal and the dead letters, on files |
//! | [`loopback`] | both of them with throwaway certificates, for demos and tests |
//! | [`reach`] | the way to a host: addresses raced, proxies |
//! | [`websocket`], [`tls`], [`pki`] | the lane, its security, throwaway and embedded authorities |
//! | [`identity`] | the node's certificate: join, renewal, files |
//! | [`config`] | KubeEdge's configuration files |

mod again;
mod bell;
mod budget;
pub mod clock;
pub mod config;
pub mod edge;
pub mod identity;
pub mod journal;
mod lane;
pub mod loopback;
pub mod pki;
mod pump;
pub mod reach;
pub mod server;
pub mod tls;
pub mod websocket;

pub use edge::{EdgeHub, Module, Options};
pub use edgehub_core as core;
