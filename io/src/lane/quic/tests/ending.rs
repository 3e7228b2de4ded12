//! What a connection says last.

use super::*;
use crate::lane::quic::congestion::close;
use quinn::crypto::rustls::QuicServerConfig;
use smol::future::yield_now;

/// One end of a connection, whose packets move only while its executor is run.
struct End {
    executor: Arc<Executor<'static>>,
    endpoint: Endpoint,
}

impl End {
    fn new(config: Option<quinn::ServerConfig>) -> End {
        let executor = Arc::new(Executor::new());
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let runtime = LaneRuntime::of(&executor);
        let endpoint = Endpoint::new(EndpointConfig::default(), config, socket, runtime).unwrap();
        End { executor, endpoint }
    }
}

/// A node writes until its window is full, to a peer that does not so much as acknowledge it, and then ends the connection.
#[test]
fn the_end_is_told_however_full_the_window_is() {
    let loopback = Loopback::new().unwrap();
    let mut tls = loopback.server_options().unwrap().tls.as_ref().clone();
    tls.alpn_protocols = vec![ALPN.to_vec()];
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls).unwrap()));
    config.transport_config(transport(SILENCE, None, PAYLOAD_BYTES_MAX));
    let (cloud, node) = (End::new(Some(config)), End::new(None));
    let mut tls = (*tls_of(&loopback, NODE)).clone();
    tls.alpn_protocols = vec![ALPN.to_vec()];
    let mut config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
    config.transport_config(transport(SILENCE, None, PAYLOAD_BYTES_MAX));
    let address = cloud.endpoint.local_addr().unwrap();
    smol::block_on(async {
        let connecting = node.endpoint.connect_with(config, address, "127.0.0.1").unwrap();
        let near = async {
            let connection = connecting.await.unwrap();
            // Until something came after the handshake the end is told in its way.
            connection.accept_bi().await.unwrap();
            connection
        };
        let far = async {
            let connection = cloud.endpoint.accept().await.unwrap().await.unwrap();
            connection.open_bi().await.unwrap().0.write_all(&MESSAGES).await.unwrap();
            connection
        };
        let (near, far) = node.executor.run(cloud.executor.run(zip(near, far))).await;
        let sent = || near.stats().udp_tx.bytes;
        let before = sent();
        let filled = async {
            let mut stream = near.open_bi().await.unwrap().0;
            stream.write_all(&[0; 1 << 19]).await.unwrap();
            // Probes alone are sent beyond the window.
            let path = || near.stats().path;
            while sent() - before < path().cwnd + u64::from(path().current_mtu) {
                yield_now().await;
            }
            stream
        };
        let _stream = node.executor.run(filled).await;
        close(&near, VarInt::from_u32(7), b"bye");
        node.executor.run(node.endpoint.wait_idle()).await;
        // What was sent waits in the socket.
        let ended = cloud.executor.run(far.closed()).await;
        assert!(
            matches!(&ended, ConnectionError::ApplicationClosed(close) if close.error_code == VarInt::from_u32(7)),
            "{ended}"
        );
    });
}
