//! `edgehub join`: the same machine on the same files, in a process of its own, until it has a pair or the first problem.

use super::World;
use super::cloud::{Asked, place};
use super::node::Committed;
use edgehub_core::identity::{IdentityInput, IdentityNote, IdentityOutput};

impl World {
    /// Somebody gives the node a token of the present cloud. What comes of it is a pair of that cloud, or nothing.
    pub(super) fn join_by_hand(&mut self) {
        let token = self.cloud.token(self.wall());
        let mut process = self.node.beside(token, self.cloud.servers, self.now, &mut self.dice);
        loop {
            let Some(output) = process.identity.poll_output() else {
                // A server that stalls, and whoever typed this has gone.
                return;
            };
            let input = match output {
                IdentityOutput::Load { work } => process.load(work, &self.cloud),
                IdentityOutput::Send { work, service, request, trust } => {
                    process.sends(&request);
                    let wall = self.wall();
                    let asked = Asked { service, request, trust };
                    let answer = self.cloud.answer(work, &asked, &process, wall, &mut self.dice);
                    let Some(answer) = answer else { return };
                    answer
                }
                IdentityOutput::MakeKey { work } => process.make_key(work, &mut self.dice),
                IdentityOutput::Write { work, .. } => {
                    process.prepare(output, &self.cloud);
                    let committed = process.commit();
                    assert_eq!(
                        committed,
                        Some(Committed::Joined),
                        "who gives a token says which pair counts"
                    );
                    IdentityInput::Written { work }
                }
                IdentityOutput::Use { .. } => break,
                IdentityOutput::Note(IdentityNote::Problem { .. }) => return,
                IdentityOutput::Cancel { .. } | IdentityOutput::Note(_) => continue,
            };
            process.handle(self.now, input);
        }
        let signed_by = process.disk.as_ref().and_then(|files| {
            let roots: Vec<usize> = files.roots.iter().map(|root| place(root)).collect();
            let by = self.cloud.certificates.get(files.certificate)?.by;
            roots.contains(&by).then_some(by)
        });
        let present = self.cloud.present();
        let seed = self.seed;
        assert_eq!(signed_by, Some(present), "seed {seed}: joined, and not to the cloud of the token");
        self.node.disk = process.disk;
        self.checks.disk(&self.node, &self.cloud);
    }
}
