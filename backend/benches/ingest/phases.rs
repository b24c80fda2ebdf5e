//! Where the time of a message goes, by the collector's own histograms.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// What `/metrics` adds up to so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Phases {
    wait: Sum,
    write: Sum,
    commit: Sum,
    /// From a whole message to its answer.
    whole: Sum,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    seconds: f64,
    count: f64,
}

impl Phases {
    pub(crate) async fn now(http: SocketAddr) -> Result<Self> {
        let mut stream = TcpStream::connect(http).await?;
        let request = format!("GET /metrics HTTP/1.1\r\nHost: {http}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        let phase = |name| Sum::of(&text, "ingest", &format!("{{phase=\"{name}\"}}"));
        Ok(Self {
            wait: phase("wait")?,
            write: phase("write")?,
            commit: phase("commit")?,
            whole: Sum::of(&text, "delivery", "")?,
        })
    }

    /// Means since another moment, milliseconds: waiting for a writer, writing, committing, and from a whole message to
    /// its answer.
    pub(crate) fn since(self, before: Self) -> [f64; 4] {
        [
            self.wait.mean_ms(before.wait),
            self.write.mean_ms(before.write),
            self.commit.mean_ms(before.commit),
            self.whole.mean_ms(before.whole),
        ]
    }
}

impl Sum {
    fn of(metrics: &str, name: &str, labels: &str) -> Result<Self> {
        let value = |what: &str| {
            let start = format!("telemetrics_{name}_seconds_{what}{labels} ");
            let line = metrics.lines().find_map(|line| line.strip_prefix(&start));
            line.with_context(|| format!("no {start}"))?
                .trim()
                .parse::<f64>()
                .context("no number")
        };
        Ok(Self {
            seconds: value("sum")?,
            count: value("count")?,
        })
    }

    fn mean_ms(self, before: Self) -> f64 {
        let count = (self.count - before.count).max(1.0);
        (self.seconds - before.seconds) * 1e3 / count
    }
}
