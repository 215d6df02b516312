//! A headless Chromium that shows our pages, driven over its debugging pipe: no port, no driver, no protocol library.
//!
//! Chromium reads requests from descriptor 3 and writes replies and events to 4, JSON with a NUL behind each. A shell joins
//! them to the pipes of standard input and output. When the test ends in any way, the pipe closes and the browser ends.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::fetched;
use crate::mongod::temp_folder;

/// A start on a busy machine takes seconds.
const LIMIT: Duration = Duration::from_mins(1);
/// `$0` is the browser. What it prints besides goes to the log of the test.
const SCRIPT: &str = r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >&2"#;

#[derive(Debug)]
pub struct Browser {
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    requests: u64,
    /// What the browser complained about in any tab: violations of a policy, failed loads.
    complaints: Vec<String>,
    loaded: Vec<String>,
    _process: Child,
    _folder: TempDir,
}

/// How a page is looked at. Sizes in CSS pixels.
#[derive(Debug, Clone, Copy)]
pub struct View {
    pub width: u32,
    pub height: u32,
    /// Device pixels for each of CSS.
    pub scale: u32,
    pub dark: bool,
    pub scripts: bool,
}

impl View {
    pub const PHONE: Self = Self { width: 390, height: 844, scale: 2, dark: false, scripts: false };
    pub const DESKTOP: Self = Self { width: 1280, height: 900, scale: 1, dark: false, scripts: false };

    #[must_use]
    pub fn dark(self) -> Self {
        Self { dark: true, ..self }
    }
}

/// A loaded page.
#[derive(Debug, Clone)]
pub struct Tab {
    session: String,
}

impl Browser {
    pub async fn start() -> Result<Self> {
        let program = fetched::path("CHROMIUM", "fetch-chromium.sh")?;
        let folder = temp_folder("chromium")?;
        let mut process = Command::new("/bin/sh")
            .args(["-c", SCRIPT])
            .arg(&program)
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
            .args(["--disable-extensions", "--disable-component-update", "--disable-background-networking"])
            .args(["--remote-debugging-pipe", "--hide-scrollbars"])
            .arg(format!("--user-data-dir={}", folder.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        let input = process.stdin.take().context("the browser has no input")?;
        let output = BufReader::new(process.stdout.take().context("the browser has no output")?);
        let (complaints, loaded) = (Vec::new(), Vec::new());
        let mut browser = Self { input, output, requests: 0, complaints, loaded, _process: process, _folder: folder };
        browser.call(None, "Browser.getVersion", json!({})).await.context("the browser does not answer")?;
        Ok(browser)
    }

    /// Loads a page in a tab of its own and waits until it is there with everything that it needs.
    pub async fn open(&mut self, url: &str, view: View) -> Result<Tab> {
        let target = self.call(None, "Target.createTarget", json!({ "url": "about:blank" })).await?;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = self.call(None, "Target.attachToTarget", attach).await?;
        let session = attached["sessionId"].as_str().context("a tab has a session")?.to_owned();
        let metrics = json!({
            "width": view.width, "height": view.height, "deviceScaleFactor": view.scale, "mobile": view.width < 600,
        });
        let scheme = json!({ "name": "prefers-color-scheme", "value": if view.dark { "dark" } else { "light" } });
        for (method, parameters) in [
            ("Page.enable", json!({})),
            ("Log.enable", json!({})),
            ("Emulation.setDeviceMetricsOverride", metrics),
            ("Emulation.setEmulatedMedia", json!({ "features": [scheme] })),
            ("Emulation.setScriptExecutionDisabled", json!({ "value": !view.scripts })),
        ] {
            self.call(Some(&session), method, parameters).await?;
        }
        self.loaded.clear();
        let answer = self.call(Some(&session), "Page.navigate", json!({ "url": url })).await?;
        if let Some(error) = answer["errorText"].as_str() {
            bail!("{url} was not loaded: {error}");
        }
        while !self.loaded.contains(&session) {
            let message = self.receive().await.with_context(|| format!("{url} was not loaded"))?;
            self.note(&message);
        }
        Ok(Tab { session })
    }

    /// The value of an expression in the page; works where the page itself may run no script.
    pub async fn evaluate(&mut self, tab: &Tab, expression: &str) -> Result<Value> {
        let parameters = json!({ "expression": expression, "returnByValue": true });
        let mut answer = self.call(Some(&tab.session), "Runtime.evaluate", parameters).await?;
        if !answer["exceptionDetails"].is_null() {
            bail!("{expression}: {}", answer["exceptionDetails"]);
        }
        Ok(answer["result"]["value"].take())
    }

    /// What a person can see: text of what is displayed.
    pub async fn visible_text(&mut self, tab: &Tab) -> Result<String> {
        let text = self.evaluate(tab, "document.body.innerText").await?;
        Ok(text.as_str().context("a page has a text")?.to_owned())
    }

    /// The whole page as a PNG.
    pub async fn screenshot(&mut self, tab: &Tab) -> Result<Vec<u8>> {
        let size = self.call(Some(&tab.session), "Page.getLayoutMetrics", json!({})).await?;
        let size = &size["cssContentSize"];
        let clip = json!({ "x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1 });
        let parameters = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
        let answer = self.call(Some(&tab.session), "Page.captureScreenshot", parameters).await?;
        Ok(STANDARD.decode(answer["data"].as_str().context("a screenshot has data")?)?)
    }

    /// What the browser has complained about so far.
    pub fn complaints(&self) -> &[String] {
        &self.complaints
    }

    async fn call(&mut self, session: Option<&str>, method: &str, parameters: Value) -> Result<Value> {
        self.requests += 1;
        let id = self.requests;
        let mut request = json!({ "id": id, "method": method, "params": parameters });
        if let Some(session) = session {
            request["sessionId"] = session.into();
        }
        let mut bytes = serde_json::to_vec(&request)?;
        bytes.push(0);
        self.input.write_all(&bytes).await.with_context(|| format!("{method}: the browser is gone"))?;
        loop {
            let mut message = self.receive().await.context(method.to_owned())?;
            if message["id"] == id {
                if !message["error"].is_null() {
                    bail!("{method}: {}", message["error"]);
                }
                return Ok(message["result"].take());
            }
            self.note(&message);
        }
    }

    async fn receive(&mut self) -> Result<Value> {
        let mut bytes = Vec::new();
        let read = tokio::time::timeout(LIMIT, self.output.read_until(0, &mut bytes)).await;
        read.with_context(|| format!("nothing from the browser within {LIMIT:?}"))??;
        if bytes.pop() != Some(0) {
            bail!("the browser ended");
        }
        Ok(serde_json::from_slice(&bytes)?)
    }

    fn note(&mut self, event: &Value) {
        let session = event["sessionId"].as_str().unwrap_or_default();
        match event["method"].as_str() {
            Some("Page.loadEventFired") => self.loaded.push(session.to_owned()),
            Some("Log.entryAdded") => {
                let entry = &event["params"]["entry"];
                self.complaints.push(format!("{}: {}", entry["text"], entry["url"]));
            }
            _ => {}
        }
    }
}
