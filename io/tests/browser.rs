//! The report page in a real browser: it loads, zooms, is clicked, and explains the right message.
//!
//! Not part of the plain test run, because it needs Chromium; `.ci/run` tries it, as does `cargo test -p edgehub --test
//! browser`. Without a browser it says so and ends. Pictures of what it saw are in the folder that it names.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends with its first surprise"
)]

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

fn main() {
    let Some(browser) = BROWSERS.into_iter().find(|name| is_there(name)) else {
        println!("SKIPPED: none of {BROWSERS:?} is installed");
        return;
    };
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("report");
    std::fs::create_dir_all(&folder).unwrap();
    let page = report(&folder);
    let mut browser = Browser::start(browser, &folder);
    for theme in ["light", "dark"] {
        browser.open(&page, theme);
        browser.picture(&folder.join(format!("{theme}.png")));
        works(&mut browser);
        browser.picture(&folder.join(format!("{theme}-chosen.png")));
    }
    let each = "(() => { const begun = performance.now(); for (let at = 0; at < 10; at++) { show(0, span); draw(); } \
                return (performance.now() - begun) / 10; })()";
    let (messages, took) = (browser.number("count"), browser.number(each));
    println!("{messages} messages are drawn in {took:.1} ms");
    nothing_gets_out(&mut browser, &page, &folder);
    println!("passed; pictures are in {}", folder.display());
}

fn is_there(name: &str) -> bool {
    let found = Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    found.is_ok_and(|status| status.success())
}

fn edgehub(arguments: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_edgehub")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The page of a demo; or of `EDGEHUB_TRACE`, to look at another one.
fn report(folder: &Path) -> PathBuf {
    let page = folder.join("report.html");
    let trace = std::env::var("EDGEHUB_TRACE").unwrap_or_else(|_| {
        let trace = folder.join("demo.trace").to_str().unwrap().to_owned();
        edgehub(&["demo", "--messages", "120", "--pace", "10", "--record", &trace]);
        trace
    });
    edgehub(&["trace", "report", &trace, "-o", page.to_str().unwrap()]);
    page
}

/// Everything that a person can do.
fn works(browser: &mut Browser) {
    assert_eq!(browser.ask("data.node.length > 0 && count > 10 && errors.length"), json!(0));
    // The whole trace is shown, then the wheel zooms to where the pointer is.
    let whole = browser.number("view.to - view.from");
    assert!(whole >= browser.number("span"));
    let (x, y) = (500.0, 300.0);
    let pointed = browser.number(&format!("timeOf({x} - canvas.getBoundingClientRect().left)"));
    for _ in 0..6 {
        browser.mouse("mouseWheel", x, y, json!({ "deltaX": 0, "deltaY": -300 }));
    }
    browser.frame();
    let zoomed = browser.number("view.to - view.from");
    assert!(zoomed < whole / 10.0, "{zoomed} of {whole}");
    let still = browser.number(&format!("timeOf({x} - canvas.getBoundingClientRect().left)"));
    assert!((still - pointed).abs() < zoomed / 100.0, "what is under the pointer stays there");
    // Dragging moves.
    let from = browser.number("view.from");
    browser.drag((x, y), (x - 100.0, y));
    let moved = browser.number("view.from") - from;
    assert!(moved > 0.0, "{moved}");
    // The keyboard: everything again, and the first message.
    browser.key("0");
    assert!((browser.number("view.to - view.from") - whole).abs() < whole / 10.0);
    browser.key("n");
    assert_eq!(browser.ask("view.chosen >= 0"), json!(true));
    // Found alone, a click on its arrow opens a message's story, in the words of `explain`.
    browser.ask("find(messages.id[Math.floor(count / 3)]), choose(Math.floor(count / 3), true), 1");
    browser.frame();
    let wanted = browser.number("view.chosen");
    let place = browser.ask(
        "(() => { let place; strokes(view.chosen, (t0, y0, t1, y1) => { place ??= [(xOf(t0) + xOf(t1)) / 2, (y0 + y1) / 2]; }); \
         const box = canvas.getBoundingClientRect(); return [place[0] + box.left, place[1] + box.top]; })()",
    );
    browser.ask("choose(-1), 1");
    browser.frame();
    let at = |index: usize| place[index].as_f64().unwrap();
    browser.mouse("mousePressed", at(0), at(1), json!({ "button": "left", "clickCount": 1 }));
    browser.mouse("mouseReleased", at(0), at(1), json!({ "button": "left", "clickCount": 1 }));
    browser.frame();
    let chosen = browser.number("view.chosen");
    assert!((chosen - wanted).abs() < 0.5, "{chosen} instead of {wanted}, at {place}");
    let told = browser.ask("side.textContent");
    let words = browser.ask("data.words[messages.events[view.chosen][3]]");
    assert!(told.as_str().unwrap().contains(words.as_str().unwrap()), "{told}");
    browser.ask("find(messages.id[0]), 1");
    assert_eq!(browser.ask("[view.found.size >= 1, isShown(0)]"), json!([true, true]));
    browser.ask("find(''), 1");
    assert_eq!(browser.ask("errors"), json!([]));
}

/// The same page with hostile texts in its data: they are shown as they are, and nothing of them runs.
fn nothing_gets_out(browser: &mut Browser, page: &Path, folder: &Path) {
    let hostile =
        r"<img src=x onerror=window.harmed=1>\u003c/script>\u003cscript>window.harmed=1\u003c/script>";
    let text = std::fs::read_to_string(page).unwrap();
    let begin = text.find("id=\"data\">").unwrap() + "id=\"data\">".len();
    let end = begin + text[begin..].find("</script>").unwrap();
    let mut data: Value = serde_json::from_str(&text[begin..end]).unwrap();
    let hostile_text: Value = serde_json::from_str(&format!("\"{hostile}\"")).unwrap();
    data["node"] = hostile_text.clone();
    for (table, at) in [("lanes", 0), ("words", 0), ("routes", 0)] {
        data[table][at] = hostile_text.clone();
    }
    data["messages"]["id"][0] = hostile_text.clone();
    let harmless = data.to_string().replace('<', "\\u003c");
    let file = folder.join("hostile.html");
    std::fs::write(&file, [&text[..begin], &harmless, &text[end..]].concat()).unwrap();
    browser.open(&file, "light");
    browser.ask("choose(0, true), 1");
    browser.frame();
    assert_eq!(browser.ask("window.harmed ?? 0"), json!(0));
    assert_eq!(browser.ask("document.querySelectorAll('img').length"), json!(0));
    assert_eq!(browser.ask("document.getElementById('node').textContent"), hostile_text);
    assert_eq!(browser.ask("side.querySelector('.id').textContent"), hostile_text);
}

/// A browser at the end of a pipe: messages of the DevTools protocol, each ended by a zero byte.
struct Browser {
    process: Child,
    to: BufWriter<ChildStdin>,
    from: BufReader<ChildStdout>,
    session: Option<String>,
    next: u64,
}

impl Browser {
    fn start(name: &str, folder: &Path) -> Browser {
        let arguments = format!(
            "exec {name} --headless=new --no-sandbox --disable-gpu --hide-scrollbars --window-size=1280,800 \
             --user-data-dir='{}' --remote-debugging-pipe about:blank 3<&0 4>&1 >/dev/null 2>/dev/null",
            folder.join("profile").display()
        );
        let mut process = Command::new("sh")
            .args(["-c", &arguments])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let to = BufWriter::new(process.stdin.take().unwrap());
        let from = BufReader::new(process.stdout.take().unwrap());
        let mut browser = Browser { process, to, from, session: None, next: 0 };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }))["targetId"].take();
        let attached = browser.call("Target.attachToTarget", json!({ "targetId": target, "flatten": true }));
        browser.session = Some(attached["sessionId"].as_str().unwrap().into());
        browser.call("Page.enable", json!({}));
        let errors = "window.errors = []; addEventListener('error', (event) => errors.push(event.message)); \
                      addEventListener('securitypolicyviolation', (event) => errors.push(event.violatedDirective));";
        browser.call("Page.addScriptToEvaluateOnNewDocument", json!({ "source": errors }));
        let size = json!({ "width": 1280, "height": 800, "deviceScaleFactor": 1, "mobile": false });
        browser.call("Emulation.setDeviceMetricsOverride", size);
        browser
    }

    fn send(&mut self, method: &str, parameters: Value) -> u64 {
        self.next += 1;
        let mut message = json!({ "id": self.next, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        write!(self.to, "{message}\0").unwrap();
        self.to.flush().unwrap();
        self.next
    }

    fn receive(&mut self) -> Value {
        let mut text = Vec::new();
        self.from.read_until(0, &mut text).unwrap();
        assert_eq!(text.pop(), Some(0), "the browser has ended");
        serde_json::from_slice(&text).unwrap()
    }

    fn call(&mut self, method: &str, parameters: Value) -> Value {
        let id = self.send(method, parameters);
        loop {
            let mut message = self.receive();
            if message["id"] == id {
                assert_eq!(message["error"], Value::Null, "{method}");
                return message["result"].take();
            }
        }
    }

    fn open(&mut self, page: &Path, theme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": theme }]);
        self.call("Emulation.setEmulatedMedia", json!({ "features": features }));
        self.send("Page.navigate", json!({ "url": format!("file://{}", page.display()) }));
        while self.receive()["method"] != "Page.loadEventFired" {}
        self.frame();
    }

    /// Waits until what was asked for has been drawn.
    fn frame(&mut self) {
        let drawn =
            "new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(() => drawn(1))))";
        assert_eq!(self.ask(drawn), json!(1));
    }

    fn ask(&mut self, expression: &str) -> Value {
        let parameters = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let mut answer = self.call("Runtime.evaluate", parameters);
        assert_eq!(answer["exceptionDetails"], Value::Null, "{expression}");
        answer["result"]["value"].take()
    }

    fn number(&mut self, expression: &str) -> f64 {
        self.ask(expression).as_f64().unwrap()
    }

    fn mouse(&mut self, kind: &str, x: f64, y: f64, mut more: Value) {
        (more["type"], more["x"], more["y"]) = (kind.into(), x.into(), y.into());
        self.call("Input.dispatchMouseEvent", more);
    }

    fn drag(&mut self, from: (f64, f64), to: (f64, f64)) {
        let left = || json!({ "button": "left", "buttons": 1, "clickCount": 1 });
        self.mouse("mousePressed", from.0, from.1, left());
        self.mouse("mouseMoved", (from.0 + to.0) / 2.0, to.1, left());
        self.mouse("mouseMoved", to.0, to.1, left());
        self.mouse("mouseReleased", to.0, to.1, left());
        self.frame();
    }

    fn key(&mut self, key: &str) {
        self.call("Input.dispatchKeyEvent", json!({ "type": "keyDown", "key": key, "text": key }));
        self.call("Input.dispatchKeyEvent", json!({ "type": "keyUp", "key": key }));
        self.frame();
    }

    fn picture(&mut self, file: &Path) {
        let picture = self.call("Page.captureScreenshot", json!({ "format": "png" }));
        std::fs::write(file, base64(picture["data"].as_str().unwrap())).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0);
    for digit in text.bytes().filter_map(|byte| DIGITS.iter().position(|&digit| digit == byte)) {
        (bits, held) = ((bits << 6) | digit as u32, held + 6);
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    bytes
}
