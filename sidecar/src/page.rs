//! What the HTML pages share: the document, its headers, and how moments, durations and sizes are written.
//!
//! A page is one file without scripts, and loads nothing: it works in any browser, through a port-forward, and saved to
//! disk. Everything is escaped by `maud`; the policy in the header lets no script run even so.

use std::sync::LazyLock;

use archive::{ClusterTime, Digest};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};

mod format;
pub mod timeline;

pub use format::{ago, bytes, count, length, moment};

const STYLE: &str = include_str!("page/style.css");

/// Nothing but the one style sheet in the page, and the icon.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let style = STANDARD.encode(Digest::of(STYLE.as_bytes()).0);
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; img-src data:; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

/// How something is to be felt; a class of the style sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Good,
    Attention,
    Bad,
    Unknown,
}

impl Tone {
    pub const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Attention => "attention",
            Self::Bad => "bad",
            Self::Unknown => "unknown",
        }
    }

    /// Of the dot in the browser's tab, percent-encoded.
    const fn colour(self) -> &'static str {
        match self {
            Self::Good => "%231a7f37",
            Self::Attention => "%23b7791f",
            Self::Bad => "%23c62828",
            Self::Unknown => "%23637083",
        }
    }
}

/// A page and how it is reloaded.
#[derive(Debug)]
pub struct Page<'a> {
    pub title: &'a str,
    pub tone: Tone,
    /// Seconds after which the browser loads it again; never, when somebody wants to copy from it in peace.
    pub reload_seconds: Option<u32>,
    pub body: Markup,
}

impl Page<'_> {
    pub fn render(self) -> String {
        let icon = format!(
            "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'><circle cx='8' cy='8' r='7' fill='{}'/></svg>",
            self.tone.colour()
        );
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    @if let Some(seconds) = self.reload_seconds { meta http-equiv="refresh" content=(seconds); }
                    title { (self.title) }
                    link rel="icon" href=(icon);
                    style { (PreEscaped(STYLE)) }
                }
                body { main { (self.body) } }
            }
        };
        page.into_string()
    }

    pub fn answer(self) -> Response {
        let headers = [
            (header::CONTENT_SECURITY_POLICY, POLICY.clone()),
            (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
        ];
        (headers, Html(self.render())).into_response()
    }
}

/// Whether a browser asks, which prefers HTML; programs that take anything get JSON.
pub fn wants_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    accepted.split(',').any(|kind| kind.split(';').next().is_some_and(|kind| kind.trim() == "text/html"))
}

/// A value, or that nobody knows it yet.
pub fn known(value: Option<&str>) -> Markup {
    html! {
        @match value {
            Some(value) => (value),
            None => span.dim { "not known yet" },
        }
    }
}

/// A moment with its distance from `now` (seconds since 1970).
pub fn when(seconds: f64, now: f64) -> Markup {
    html! { time { (moment(seconds)) } " " span.dim { (ago(now - seconds)) } }
}

pub fn when_text(rfc3339: &str, now: f64) -> Markup {
    if let Some(seconds) = metrics::backup::instant(rfc3339) {
        when(seconds, now)
    } else {
        html! { (rfc3339) }
    }
}

pub fn when_cluster(at: ClusterTime, now: f64) -> Markup {
    html! { (when(f64::from(at.seconds), now)) " " span.dim.nowrap { "(" (at) ")" } }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(body: Markup) -> Response {
        Page { title: "<script>", tone: Tone::Good, reload_seconds: None, body }.answer()
    }

    #[test]
    fn the_policy_allows_the_style_of_the_page_and_no_script() {
        let answer = page(html! {});
        let policy = answer.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
        assert!(!STYLE.contains("url(") && !STYLE.contains("@import"), "it loads something");
        assert!(!STYLE.contains('<'), "it could end its element");
    }

    #[test]
    fn a_title_is_escaped() {
        let page = Page { title: "<script>", tone: Tone::Bad, reload_seconds: Some(5), body: html! {} }.render();
        assert!(page.contains("<title>&lt;script&gt;</title>") && page.contains(r#"content="5""#), "{page}");
    }

    #[test]
    fn only_who_asks_for_html_gets_it() {
        let asks = |accept: &str| {
            wants_html(&HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_str(accept).unwrap())]))
        };
        assert!(asks("text/html,application/xhtml+xml,*/*;q=0.8") && asks("application/xml, text/html;q=0.9"));
        assert!(!asks("*/*") && !asks("application/json") && !wants_html(&HeaderMap::new()));
    }
}
