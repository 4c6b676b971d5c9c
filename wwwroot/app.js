// Works without a circuit: updates ages, marks tiles stale, and shows a lost connection within seconds.

const meta = (name) => Number(document.querySelector(`meta[name="${name}"]`)?.content);

// Clients' clocks are often wrong, so all ages are computed in server time. The page contains the server's time of
// rendering, which arrived with the first byte; the circuit sends a newer one when it connects.
const firstByteAt = performance.timeOrigin + (performance.getEntriesByType("navigation")[0]?.responseStart ?? 0);
let serverOffset = (meta("server-time") || firstByteAt) - firstByteAt;
const serverNow = () => Date.now() + serverOffset;

const isUtc = () => localStorage.getItem("autoticket-times") === "utc";
const zone = () => (isUtc() ? "UTC" : Intl.DateTimeFormat().resolvedOptions().timeZone);

window.autoticket = {
  zone,

  setServerTime(milliseconds) {
    serverOffset = milliseconds - Date.now();
    tick();
  },

  open(address) {
    if (/^https?:/i.test(address)) window.open(address, "_blank", "noopener,noreferrer");
  },

  // The session has ended. A tab that is signing out, perhaps via another site, must not be redirected.
  leave(address) {
    if (!isSigningOut) location.replace(address);
  },
};

let isSigningOut = false;
document.addEventListener("submit", ({ target }) => {
  if (target.getAttribute("action") !== "/logout") return;
  isSigningOut = true;
  sessionStorage.clear();
});

// Must match Durations.Text in Components/Durations.cs.
function ageText(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (minutes < 1) return `${seconds} s`;
  if (hours < 1) return `${minutes} min`;
  if (hours < 24) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

// A control that had the focus may be gone, or disabled, after its action: what it stood in has the focus then, so that a keyboard user
// does not begin again at the top of the page. Forms return the focus to their button themselves.
let focused = [];
document.addEventListener("focusin", ({ target }) => {
  focused = [target];
  while (focused[0].parentElement) focused.unshift(focused[0].parentElement);
});
function keepFocus() {
  const control = focused.at(-1);
  if (document.activeElement !== document.body || !control || (control.isConnected && !control.disabled)) return;
  const place = focused.findLast((one) => one.isConnected && one.matches("form, section, article, table, [role=region], main"));
  if (!place) return;
  if (!place.hasAttribute("tabindex")) place.tabIndex = -1;
  place.focus({ preventScroll: true });
}

// "Next page" stands below the list, and the next page begins above.
document.addEventListener("click", ({ target }) => {
  const list = target.closest?.("[data-turns]") && document.querySelector("[data-list]");
  if (!list) return;
  list.tabIndex = -1;
  list.scrollIntoView({ block: "start", behavior: "instant" });
  list.focus({ preventScroll: true });
});

let tab;
function tick() {
  const now = serverNow();
  markChoices();
  keepFocus();
  // On a phone the list of tabs scrolls.
  const active = document.querySelector(".tabs .active");
  if (active && tab !== active.href) {
    tab = active.href;
    active.scrollIntoView({ block: "nearest", inline: "center" });
  }
  for (const time of document.querySelectorAll("time[data-age][datetime]")) {
    const text = ageText(now - Date.parse(time.dateTime));
    // Blazor owns the text node: change its text, but never replace it.
    if (time.firstChild) {
      if (time.firstChild.nodeValue !== text) time.firstChild.nodeValue = text;
    } else {
      time.textContent = text;
    }
  }

  for (const tile of document.querySelectorAll('[data-tile]:not([data-status="stale"])')) {
    const isAged = tile.dataset.checkedAt && now - Number(tile.dataset.checkedAt) > Number(tile.dataset.staleAfter);
    tile.toggleAttribute("data-aged", Boolean(isAged));
    tile.querySelector(".aged")?.toggleAttribute("hidden", !isAged);
  }
}

setInterval(tick, 1000);
tick();

// The board keeps its order while it is used: a pointer or key that is still active renews the hold.
let heldAt = 0;
for (const kind of ["pointermove", "keydown"]) {
  document.addEventListener(
    kind,
    ({ target }) => {
      const tiles = target.closest?.("[data-tiles]");
      if (!tiles || Date.now() - heldAt < 10_000) return;
      heldAt = Date.now();
      tiles.dispatchEvent(new PointerEvent("pointerenter"));
    },
    { passive: true },
  );
}

// Back on the board, the link that led to a surface has the focus again and stands where it stood; its group is unfolded for that.
// Elsewhere, and if the surface is gone, the heading keeps the focus that the router gives it.
let left;
document.addEventListener(
  "click",
  ({ target }) => {
    const link = target.closest?.("[data-tiles] h3 a");
    const fold = link?.closest("[data-fold]")?.dataset.fold;
    if (link) left = { board: location.href, surface: link.href, top: link.getBoundingClientRect().top, fold };
    const back = target.closest?.("a[data-to-board]");
    if (back && left?.surface === location.origin + location.pathname) back.href = left.board;
  },
  { capture: true },
);
document.addEventListener("focusin", ({ target }) => {
  if (target.tagName !== "H1" || location.href !== left?.board) return;
  const { surface, top, fold } = left;
  left = undefined;
  if (returnTo(surface, top)) return;
  const group = Array.from(document.querySelectorAll("[data-fold]")).find((one) => one.dataset.fold === fold);
  const opener = group?.querySelector("[aria-expanded=false]");
  if (!opener) return;
  opener.focus();
  opener.click();
  // The server renders the rows: first some, then all.
  const rows = new MutationObserver(() => {
    const rest = group.querySelector("[data-fold-rest]");
    if (document.activeElement !== opener || returnTo(surface, top) || !rest) rows.disconnect();
    else rest.click();
  });
  rows.observe(group, { childList: true, subtree: true });
});
function returnTo(surface, top) {
  const link = Array.from(document.querySelectorAll("[data-tiles] h3 a")).find(({ href }) => href === surface);
  link?.focus({ preventScroll: true });
  if (link) scrollBy({ top: link.getBoundingClientRect().top - top, behavior: "instant" });
  return Boolean(link);
}

// A time as Durations.Moment formats it, but in the viewer's zone.
let formats;
function inZone(at) {
  const timeZone = zone();
  if (formats?.timeZone !== timeZone) {
    // Swedes write dates as ISO 8601 does.
    const whole = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium", timeZone });
    formats = { timeZone, whole, name: new Intl.DateTimeFormat("en-US", { timeZoneName: "short", timeZone }) };
  }
  const name = formats.name.formatToParts(at).find(({ type }) => type === "timeZoneName")?.value;
  return { whole: formats.whole.format(at), name };
}

// Shows a time in the viewer's zone. Blazor renders it in UTC; its text node is changed, but never replaced.
class LocalTime extends HTMLElement {
  #observer = new MutationObserver(() => this.show());

  connectedCallback() {
    const changes = { attributes: true, attributeFilter: ["datetime"], childList: true, characterData: true, subtree: true };
    this.#observer.observe(this, changes);
    this.show();
  }

  disconnectedCallback() {
    this.#observer.disconnect();
  }

  show() {
    const at = new Date(this.getAttribute("datetime"));
    if (!this.firstChild || Number.isNaN(at.getTime())) return;
    const { whole, name } = inZone(at);
    const text = { time: whole.slice(-8), day: whole.slice(0, 10) }[this.dataset.only] ?? `${whole} ${name}`;
    if (this.firstChild.nodeValue !== text) this.firstChild.nodeValue = text;
  }
}
customElements.define("local-time", LocalTime);

// Times inside sentences and tooltips: "2026-11-30 10:00:00 UTC". Only the first one or two are converted, before any punctuation: what
// follows may quote an alert or a person.
const TIME = String.raw`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC`;
const EVERY_TIME = new RegExp(TIME, "g");
const FIRST_TIMES = new RegExp(String.raw`^[\w ,]{0,80}?${TIME}(?: (?:to|until) ${TIME})?`);
const LOCAL = "[data-local], .mud-snackbar-content-message";
const converted = new WeakMap();
const titled = new WeakSet();

// Changes the value of a text or an attribute, which Blazor owns and may set again. Returns its times in UTC.
function convert(node, keepsUtc) {
  if (!node?.nodeValue) return [];
  const [before, shown] = converted.get(node) ?? [];
  const utc = node.nodeValue === shown ? before : node.nodeValue;
  const place = utc.match(FIRST_TIMES)?.[0];
  const times = place?.match(EVERY_TIME) ?? [];
  if (times.length === 0) return times;
  const local = place.replace(EVERY_TIME, (time) => {
    const at = new Date(time.replace(" ", "T").replace(" UTC", "Z"));
    // Digits in this form may be no time, as 0000-00-00.
    if (Number.isNaN(at.getTime())) return time;
    const { whole, name } = inZone(at);
    return `${whole} ${name}`;
  });
  const text = isUtc() ? utc : local + (keepsUtc ? ` (${times.join(" to ")})` : "") + utc.slice(place.length);
  converted.set(node, [utc, text]);
  if (node.nodeValue !== text) node.nodeValue = text;
  return times;
}
function showLocal(element) {
  const texts = Array.from(element.childNodes).filter(({ nodeType }) => nodeType === Node.TEXT_NODE);
  const times = texts.flatMap((text) => convert(text, false));
  if (times.length > 0 && (!element.hasAttribute("title") || titled.has(element))) {
    titled.add(element);
    if (element.title !== times.join(", ")) element.title = times.join(", ");
  } else if (titled.has(element)) {
    titled.delete(element);
    element.removeAttribute("title");
  }
  if (!titled.has(element)) convert(element.getAttributeNode("title"), true);
  convert(element.getAttributeNode("aria-label"), true);
}
function showAllLocal(root) {
  for (const element of root.querySelectorAll(LOCAL)) showLocal(element);
}
new MutationObserver((changes) => {
  for (const { type, target, addedNodes } of changes) {
    const element = type === "characterData" ? target.parentElement : target;
    if (element?.matches(LOCAL)) showLocal(element);
    for (const node of addedNodes) {
      if (node.nodeType !== Node.ELEMENT_NODE) continue;
      if (node.matches(LOCAL)) showLocal(node);
      showAllLocal(node);
    }
  }
}).observe(document.body, {
  attributes: true,
  attributeFilter: ["title", "aria-label"],
  characterData: true,
  childList: true,
  subtree: true,
});
showAllLocal(document);
// A board has hundreds of ages and bars, so their tooltips are converted only when the pointer reaches them.
document.addEventListener("pointerover", ({ target }) => {
  convert(target.closest?.("time[data-age]")?.getAttributeNode("title"), true);
  if (target instanceof SVGElement) convert(target.querySelector(":scope > title")?.firstChild, true);
});

// The choices in the footer. Times change at once; the server renders the theme, so the page is loaded again.
function setCookie(name, value) {
  document.cookie = `${name}=${value}; path=/; max-age=31536000; samesite=lax`;
}
function markChoices() {
  const theme = document.cookie.match(/autoticket-theme=(light|dark)/)?.[1] ?? "system";
  for (const button of document.querySelectorAll(".preferences [data-times], .preferences [data-theme]")) {
    const { times } = button.dataset;
    const isChosen = times ? (times === "utc") === isUtc() : button.dataset.theme === theme;
    button.setAttribute("aria-pressed", String(isChosen));
  }
}
document.addEventListener("click", ({ target }) => {
  const button = target.closest?.(".preferences button");
  if (!button) return;
  const { times, theme } = button.dataset;
  if (times) {
    localStorage.setItem("autoticket-times", times);
    for (const time of document.querySelectorAll("local-time")) time.show();
    showAllLocal(document);
    markChoices();
  } else {
    setCookie("autoticket-theme", theme);
    location.reload();
  }
});

// The server renders the next page in this color scheme, without a flash.
const dark = matchMedia("(prefers-color-scheme: dark)");
const rememberScheme = () => {
  setCookie("autoticket-scheme", dark.matches ? "dark" : "light");
};
dark.addEventListener("change", rememberScheme);
rememberScheme();

const lost = document.getElementById("circuit-lost");

// A click that reaches nobody must not look like one that was taken. A link would change the address, but not the page.
document.addEventListener(
  "click",
  (click) => {
    const control = click.target.closest?.("main button, main input, main [role=button], a[href]:not([target], [href^='#'], [download])");
    if (!lost?.open || !control) return;
    const isLink = control.matches("a");
    // Before its first connection a page is loaded by its links.
    if (isLink && (!hasCircuit || click.ctrlKey || click.metaKey || click.shiftKey)) return;
    if (isLink) click.preventDefault();
    click.stopPropagation();
    document.getElementById("circuit-lost-click").hidden = false;
  },
  { capture: true },
);

function showLost() {
  if (lost.open) return;
  document.getElementById("circuit-lost-click").hidden = true;
  document.documentElement.dataset.circuit = "lost";
  const lostAt = document.getElementById("circuit-lost-at");
  // Use the newest reading if the page shows any, because the loss may be detected seconds late.
  const readings = Array.from(document.querySelectorAll("[data-checked-at]"), (tile) => Number(tile.dataset.checkedAt));
  lostAt.dateTime = new Date(readings.length ? Math.max(...readings) : serverNow()).toISOString();
  tick();
  lost.show();
}

let connectedAt = 0;
function hideLost() {
  if (lost.open) connectedAt = Date.now();
  delete document.documentElement.dataset.circuit;
  lost.close();
}

document.getElementById("components-reconnect-modal")?.addEventListener("components-reconnect-state-changed", ({ detail }) => {
  if (detail.state === "show") {
    showLost();
  } else if (detail.state === "hide") {
    hideLost();
  } else if (["failed", "rejected", "resume-failed"].includes(detail.state)) {
    reloadWhenServed();
  }
});

document.getElementById("circuit-retry")?.addEventListener("click", async () => {
  if (!hasCircuit) return tryNow();
  if (hasFailed) return reloadWhenServed();
  try {
    if (!(await Blazor.reconnect())) reloadWhenServed();
  } catch {
    // The server can't be reached. Blazor continues its own attempts.
  }
});

// Keys of the whole console, listed by "?". They do nothing while a text is typed.
const isTyping = (target) => target.closest?.("input, textarea, select, [contenteditable]");
document.addEventListener("keydown", (press) => {
  const isPalette = press.key === "k" && (press.ctrlKey || press.metaKey);
  if (press.defaultPrevented || (!isPalette && (press.ctrlKey || press.metaKey || press.altKey || isTyping(press.target)))) return;
  if (isPalette) {
    const field = showDialog("palette")?.querySelector("input");
    field?.focus();
    field?.select();
  } else if (press.key === "/") {
    const search = document.querySelector("main input[type=search]");
    if (!search) return;
    search.focus();
  } else if (press.key === "?") {
    showDialog("keys");
  } else {
    return;
  }
  press.preventDefault();
});

function showDialog(id) {
  const dialog = document.getElementById(id);
  if (!dialog || document.querySelector("dialog:modal")) return null;
  dialog.showModal();
  return dialog;
}

// In the palette, Enter in the field follows the first link, and the arrow keys move between the links. On a slow line the links are
// still those of earlier letters: Enter waits for those of the text, until another key is pressed.
let awaited = null;
function followFirst(field, list) {
  const follow = () => field.value === list.dataset.of && (list.querySelector("a")?.click(), true);
  if (follow()) return;
  awaited = new MutationObserver((_, observer) => follow() && observer.disconnect());
  awaited.observe(list, { attributes: true });
}
document.addEventListener("keydown", (press) => {
  const palette = press.target.closest?.("#palette");
  if (!palette) return;
  awaited?.disconnect();
  const stops = [palette.querySelector("input"), ...palette.querySelectorAll("a")];
  const at = stops.indexOf(press.target);
  const step = { ArrowDown: 1, ArrowUp: -1 }[press.key];
  if (step && stops[at + step]) stops[at + step].focus();
  else if (press.key === "Enter" && at === 0) followFirst(stops[0], palette.querySelector("ul"));
  else return;
  press.preventDefault();
});
document.addEventListener("click", ({ target }) => {
  if (target.closest?.("#palette a, dialog [data-close]")) target.closest("dialog").close();
});

// A half-written reason outlives its page: the tab keeps it until its form is closed, which neither a reload does nor a server that
// renders the page anew after a long disconnection. It is its user's: another one may sign in from this tab, or from another tab of
// the browser. Two forms may have the same name: those of two alerts, and those of two differences of a ticket, which data-draft
// tells apart.
if (location.pathname === "/login") sessionStorage.clear();
const RENDERS_WITHIN = 5000;
const drafts = new Map();
const keyOf = (field) => {
  const user = document.querySelector(".sign-out .who")?.title;
  const alert = field.closest("article")?.getAttribute("aria-labelledby");
  return `draft ${[user, location.pathname, alert, field.form?.getAttribute("aria-label"), field.dataset.draft].join(" ")}`;
};
const closedForms = new MutationObserver(() => {
  for (const [field, key] of drafts) {
    if (field.isConnected) continue;
    if (!lost?.open && Date.now() - connectedAt > RENDERS_WITHIN) sessionStorage.removeItem(key);
    drafts.delete(field);
  }
  if (drafts.size === 0) closedForms.disconnect();
});
document.addEventListener("focusin", ({ target }) => {
  if (!target.matches?.("[data-draft]")) return;
  const key = keyOf(target);
  drafts.set(target, key);
  closedForms.observe(document.body, { childList: true, subtree: true });
  const draft = sessionStorage.getItem(key);
  if (!draft || target.value) return;
  target.value = draft;
  target.dispatchEvent(new Event("input", { bubbles: true }));
});
document.addEventListener("input", ({ target }) => {
  if (drafts.has(target)) sessionStorage.setItem(drafts.get(target), target.value);
});
// A form that is sent right after a reconnection is closed by that, and not by the server's rendering.
document.addEventListener("submit", ({ target }) => {
  if (Date.now() - connectedAt > RENDERS_WITHIN) return;
  for (const [field, key] of drafts) if (target.contains(field)) sessionStorage.removeItem(key);
});

// A button with data-copy copies the field with that id and reports the result beside it.
document.addEventListener("click", async ({ target }) => {
  const button = target.closest?.("[data-copy]");
  const field = button && document.getElementById(button.dataset.copy);
  if (!field) return;
  // Also select the text: if the browser forbids copying, the user can press Ctrl+C.
  field.select();
  let message = "Copied.";
  try {
    await navigator.clipboard.writeText(field.value);
  } catch {
    const details = field.closest("details");
    if (details) details.open = true;
    field.select();
    message = "Selected. Press Ctrl+C to copy.";
  }
  const status = button.parentElement.querySelector("[data-copied]");
  if (status) status.textContent = message;
});

// A restarting server first refuses connections; reloading at once could show the browser's error page.
let isReloading = false;
async function reloadWhenServed() {
  if (isReloading) return;
  isReloading = true;
  for (;;) {
    try {
      const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(5000) });
      // The console's own page may be that this one does not exist any more. Other failures are a proxy's, while the console starts.
      if (answer.ok || (await answer.text()).includes('name="server-time"')) return location.reload();
    } catch {
      // The server is not back yet.
    }
    await new Promise((resume) => setTimeout(resume, 2000));
  }
}

// A session may end while the connection is lost. The browser can't tell a refused WebSocket from a server that is down.
async function reloadIfSignedOut() {
  try {
    const answer = await fetch("_blazor", { cache: "no-store", redirect: "manual", signal: AbortSignal.timeout(CONNECT_LIMIT) });
    if (answer.type === "opaqueredirect" || answer.status === 401) location.reload();
  } catch {
    // The server can't be reached.
  }
}

const retryDelay = (attempt) => Math.min(500 * 2 ** attempt, 5000);

// Without a limit, a server or proxy that accepts the connection but never answers would block the page for minutes.
const CONNECT_LIMIT = 5000;
class ImpatientSocket extends WebSocket {
  constructor(address) {
    super(address);
    setTimeout(() => {
      if (this.readyState === WebSocket.CONNECTING) this.close();
    }, CONNECT_LIMIT);
  }
}

// ASP.NET allows a rendered page to start a circuit for 5 minutes. After that it must be reloaded.
const STARTABLE_FOR = 4 * 60 * 1000;

let hasCircuit = false;
let tryNow = () => {};

// A failure of the page ends its circuit for good, of which Blazor says nothing. A page that fails each time stays readable.
let hasFailed = false;
function mayReload() {
  const last = Number(sessionStorage.getItem("failed-at"));
  sessionStorage.setItem("failed-at", Date.now());
  return Date.now() - last > 60_000;
}

// Blazor retries only lost circuits. This retries the first connection of a page.
async function startUntilConnected(start) {
  for (let attempt = 0; ; attempt++) {
    try {
      return await start();
    } catch (failure) {
      if (hasCircuit) {
        reloadIfSignedOut();
        throw failure;
      }
      showLost();
      await new Promise((resume) => {
        tryNow = resume;
        setTimeout(resume, retryDelay(attempt));
      });
      if (Date.now() - performance.timeOrigin > STARTABLE_FOR) await reloadWhenServed();
    }
  }
}

Blazor.start({
  circuit: {
    circuitHandlers: [
      {
        onCircuitOpened() {
          hasCircuit = true;
          hideLost();
        },
      },
    ],
    configureSignalR: (builder) => {
      // WebSockets only (1), without negotiation, which a load balancer could send to another process.
      builder.withUrl("_blazor", { skipNegotiation: true, transport: 1, WebSocket: ImpatientSocket });
      const silenceLimit = meta("circuit-silence-limit");
      if (silenceLimit) builder.withServerTimeout(silenceLimit);

      const build = builder.build.bind(builder);
      builder.build = () => {
        const connection = build();
        const start = connection.start.bind(connection);
        connection.start = () => startUntilConnected(start);
        connection.on("JS.Error", () => {
          hasFailed = true;
        });
        // The server refused the circuit or stopped before it opened, so Blazor can't reconnect.
        connection.onclose(() => {
          if (hasCircuit && !hasFailed) return;
          showLost();
          if (!hasFailed || mayReload()) setTimeout(reloadWhenServed, retryDelay(2));
        });
        return connection;
      };
    },
    // Unlimited retries: the console stays open for days.
    reconnectionOptions: { maxRetries: Number.MAX_SAFE_INTEGER, retryIntervalMilliseconds: retryDelay },
  },
});
