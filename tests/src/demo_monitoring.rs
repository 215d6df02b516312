//! Monitoring as a story: a lagging secondary and a slow query, the alerts that arrive, what the pages show, and the all-clear.
//! `make demo-monitoring` tells it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use testkit::ReplicaSet;

use crate::demo::terminal::Terminal;
use crate::monitoring::browser::Browser;
use crate::monitoring::charts::{self, Graph};
use crate::monitoring::shop::{SlowScans, Traffic, write_reports};
use crate::monitoring::watch::told;
use crate::monitoring::{NodeAgent, Notification, Site, Watch, rules};
use crate::programs::{binary, page};
use crate::{ArchiveFolder, faults};

const GRAPHS: [Graph; 5] = [
    Graph {
        title: "Replication lag, seconds",
        expression: "max by (member) (tidemark_replset_member_lag_seconds)",
        label: "member",
    },
    Graph {
        title: "Archive lag, seconds",
        expression: "max by (cluster) (tidemark_archive_lag_seconds)",
        label: "cluster",
    },
    Graph {
        title: "Slow operations per second, by plan",
        expression: "sum by (plan) (rate(tidemark_slow_ops_total[10s]))",
        label: "plan",
    },
    Graph {
        title: "Operations of clients per second",
        expression: r#"sum by (type) (rate(tidemark_ops_total{source="client"}[10s]))"#,
        label: "type",
    },
    Graph {
        title: "Alerts that fire",
        expression: r#"max by (alertname) (ALERTS{alertstate="firing",alertname!="TidemarkWatchdog"})"#,
        label: "alertname",
    },
];
const PAGE: (u32, u32) = (1_000, 1_600);
/// Before the faults, so that the graphs show how it was.
const QUIET_SCRAPES: u32 = 15;

#[derive(Debug, Clone)]
pub struct Options {
    /// Where pictures and pages go.
    pub out: PathBuf,
    /// Leave everything running at the end, until Ctrl-C.
    pub keep: bool,
}

/// Everything that runs, so that whoever tells the story can show the logs when it ends badly.
#[derive(Debug, Default)]
pub struct MonitoringStory {
    stage: Option<Stage>,
    terminal: Terminal,
    pictures: u32,
}

#[derive(Debug)]
struct Stage {
    // Dropped in this order: who asks before who answers.
    watch: Watch,
    _traffic: Traffic,
    agent: NodeAgent,
    site: Site,
}

impl MonitoringStory {
    pub async fn log_tails(&self) -> String {
        match &self.stage {
            Some(stage) => format!("{}{}", stage.site.logs(), stage.watch.state().await),
            None => String::new(),
        }
    }

    pub async fn tell(&mut self, options: &Options) -> Result<()> {
        std::fs::create_dir_all(&options.out).with_context(|| format!("create {}", options.out.display()))?;
        let browser = match Browser::find().await {
            Ok(browser) => Some(browser),
            Err(error) => {
                self.terminal.line(&format!("no pictures, pages only: {error:#}"));
                None
            }
        };
        self.set_up().await?;
        self.pictures(options, browser.as_ref(), "healthy").await?;
        self.faults(options, browser.as_ref()).await?;
        self.pictures(options, browser.as_ref(), "after").await?;
        if options.keep {
            self.terminal.step("Everything stays as it is until Ctrl-C");
            self.addresses()?;
            std::future::pending::<()>().await;
        }
        self.stage = None;
        println!("\nall servers ended after {:.0} s; see {}", self.terminal.seconds(), options.out.display());
        Ok(())
    }

    async fn set_up(&mut self) -> Result<()> {
        self.terminal.step("A replica set of three members, a sidecar beside each, and an application at work");
        let sidecar = binary("sidecar")?;
        let set = ReplicaSet::builder().members(3).set_name("orders").set_parameter("enableTestCommands", "1");
        let set = set.start().await?;
        let traffic = Traffic::start(&set.client()).await?;
        write_reports(&set.client()).await?;
        let site = Site::start("orders", set, ArchiveFolder::new()?, &sidecar).await?;
        self.terminal.step("The node agent, Prometheus with our rules, Alertmanager with our example, and a receiver");
        let agent = NodeAgent::start(&site, &sidecar).await?;
        let targets = [site.targets(), vec![agent.target()]].concat();
        let watch = Watch::start(&targets).await?;
        self.stage = Some(Stage { watch, _traffic: traffic, agent, site });
        self.terminal.line(&format!("a minute of the rules is a second here (1/{})", rules::SCALE));
        self.addresses()?;
        let scraped = format!("min(sum_over_time(up[1m])) >= {QUIET_SCRAPES}");
        let watch = &self.stage()?.watch;
        watch
            .until("everything is scraped", async |watch| Ok(!watch.prometheus.query(&scraped).await?.is_empty()))
            .await
    }

    fn stage(&self) -> Result<&Stage> {
        self.stage.as_ref().context("nothing was started")
    }

    fn addresses(&self) -> Result<()> {
        let stage = self.stage()?;
        let mut lines = vec![("MongoDB".to_owned(), stage.site.set.uri())];
        for pod in &stage.site.pods {
            lines.push((format!("sidecar {}", pod.name), format!("http://127.0.0.1:{}/", pod.port())));
        }
        lines.push(("node agent".to_owned(), format!("http://127.0.0.1:{}/slow-queries", stage.agent.port())));
        let prometheus = stage.watch.prometheus.port();
        lines.push(("Prometheus".to_owned(), format!("http://127.0.0.1:{prometheus}/api/v1/alerts")));
        let alertmanager = stage.watch.alertmanager.port();
        lines.push(("Alertmanager".to_owned(), format!("http://127.0.0.1:{alertmanager}/api/v2/alerts")));
        for (name, address) in lines {
            self.terminal.line(&format!("{name:<18} {address}"));
        }
        Ok(())
    }

    async fn faults(&mut self, options: &Options, browser: Option<&Browser>) -> Result<()> {
        let behind = self.stage()?.site.bystander().await?;
        let host = self.stage()?.site.set.hosts()[behind].clone();
        self.terminal.step(&format!("{host} stops replicating, and a deploy brings a query without an index"));
        let started = Instant::now();
        let (paged, scanned) = {
            let stage = self.stage()?;
            let incident = stage.watch.incident(stage.site.cluster);
            let scans = SlowScans::start(&stage.site.set.client());
            faults::stop_replicating(&stage.site.set, behind).await?;
            let scanned = incident.arrives("NewCollscan", "info", &[("coll", "reports")]).await?;
            self.show(&scanned, started);
            let warned = incident.arrives("ReplicationLagHigh", "warning", &[("member", &host)]).await?;
            self.show(&warned, started);
            let paged = incident.arrives("ReplicationLagHigh", "critical", &[("member", &host)]).await?;
            self.show(&paged, started);
            scans.stop().await?;
            (paged, scanned)
        };
        self.pictures(options, browser, "faults").await?;

        self.terminal.step("It replicates again, and the deploy is taken back");
        let started = Instant::now();
        let stage = self.stage()?;
        faults::replicate(&stage.site.set, behind).await?;
        let incident = stage.watch.incident(stage.site.cluster);
        for notification in [&paged, &scanned] {
            incident.resolves(notification).await?;
            let seconds = started.elapsed().as_secs_f64();
            self.terminal.line(&format!("{seconds:>5.1} s  {} resolved", notification.alert()));
        }
        let heard = incident.heard();
        ensure!(
            heard.iter().all(|one| !one.is_firing || one.alert() == paged.alert() || one.alert() == scanned.alert())
        );
        Ok(())
    }

    fn show(&self, notification: &Notification, started: Instant) {
        self.terminal.line(&format!("{:>5.1} s  {}", started.elapsed().as_secs_f64(), told(notification)));
        for name in ["summary", "description", "impact", "runbook_url"] {
            self.terminal.line(&format!("         {name}: {}", notification.annotation(name)));
        }
    }

    /// The sidecars' status page, what the agent saw, and graphs.
    async fn pictures(&mut self, options: &Options, browser: Option<&Browser>, moment: &str) -> Result<()> {
        self.pictures += 1;
        let prefix = format!("{}-{moment}", self.pictures);
        let stage = self.stage()?;
        let archiver = &stage.site.pods[stage.site.archiver().await?];
        let graphs = options.out.join(format!("{prefix}-graphs.html"));
        let title = format!("orders: {moment}");
        let html = charts::page(&stage.watch.prometheus, &title, &GRAPHS, Duration::from_mins(3)).await?;
        std::fs::write(&graphs, html).with_context(|| format!("write {}", graphs.display()))?;
        let (_, slow) = page(stage.agent.port(), "/slow-queries").await?;
        std::fs::write(options.out.join(format!("{prefix}-slow-queries.json")), slow)?;
        let Some(browser) = browser else { return Ok(()) };
        let pages = [
            ("status", format!("http://127.0.0.1:{}/", archiver.port())),
            ("graphs", format!("file://{}", graphs.canonicalize()?.display())),
        ];
        for (name, url) in pages {
            let picture = options.out.join(format!("{prefix}-{name}.png"));
            browser.shoot(&url, &picture, PAGE).await?;
            self.terminal.line(&format!("picture {}", picture.display()));
        }
        Ok(())
    }
}
