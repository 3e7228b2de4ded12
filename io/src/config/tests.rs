//! Whole configurations of both dialects: what they become, and everything that is told about bad ones.

use super::*;

mod classes;
mod classic;
mod edgecore;
mod own;
mod told;

/// What KubeEdge writes for a node, as far as it matters here, with sections of its other modules around it.
const EDGECORE: &str = "
apiVersion: edgecore.config.kubeedge.io/v1alpha2
kind: EdgeCore
database:
  aliasName: default
  dataSource: /var/lib/kubeedge/edgecore.db
featureGates: {requireAuthorization: false}
modules:
  deviceTwin: {enable: true}
  edgeHub:
    enable: true
    heartbeat: 15
    httpServer: https://192.0.2.1:10002
    messageBurst: 60
    messageQPS: 30
    projectID: e632aba927ea4ac2b575ec1603d56f10
    quic:
      enable: false
      handshakeTimeout: 30
      readDeadline: 15
      server: 192.0.2.1:10001
      writeDeadline: 15
    rotateCertificates: true
    tlsCaFile: /etc/kubeedge/ca/rootCA.crt
    tlsCertFile: /etc/kubeedge/certs/server.crt
    tlsPrivateKeyFile: /etc/kubeedge/certs/server.key
    token: \"secret.a.b.c\"
    websocket:
      enable: true
      handshakeTimeout: 30
      readDeadline: 15
      server: 192.0.2.1:10000
      writeDeadline: 15
  edged:
    hostnameOverride: edge-1
    tailoredKubeletConfig: {cgroupDriver: systemd}
  eventBus: {mqttMode: 2}
  metaManager: {enable: true}
";

const CLASSIC: &str = "
mqtt: {server: 'tcp://127.0.0.1:1883'}
edgehub:
  websocket:
    url: wss://192.0.2.1:10000/e632aba927ea4ac2b575ec1603d56f10/edge-1/events
    certfile: /etc/kubeedge/certs/edge.crt
    keyfile: /etc/kubeedge/certs/edge.key
    handshake-timeout: 40
    write-deadline: 15
    read-deadline: 15
    ssl-cipher: any
  quic:
    url: 192.0.2.1:10001
    cafile: /quic/ca.crt
    certfile: /quic/edge.crt
    keyfile: /quic/edge.key
    handshake-timeout: 31
    write-deadline: 15
    read-deadline: 15
  controller:
    protocol: websocket
    heartbeat: 20
    refresh-interval: 10
    auth-info-files-path: /var/IEF/secret
    placement-url: https://192.0.2.1:7444/v1
    project-id: e632aba927ea4ac2b575ec1603d56f10
    node-id: edge-1
";

fn good(text: &str) -> (NodeConfig, Vec<String>) {
    let (config, warnings) = NodeConfig::from_yaml(text).unwrap();
    (config, warnings.iter().map(ToString::to_string).collect())
}

/// Expects exactly these problems, one a line.
fn check_bad(text: &str, expected: &[&str]) {
    let errors = NodeConfig::from_yaml(text).unwrap_err().to_string();
    assert_eq!(errors.lines().collect::<Vec<_>>(), expected, "{text}");
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
