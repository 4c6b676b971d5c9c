// Keeps the page honest without its circuit: ages go on growing, tiles go stale, a lost connection shows within seconds.

const meta = (name) => Number(document.querySelector(`meta[name="${name}"]`)?.content);

// Operators' clocks are often wrong, so every age is reckoned in the server's time. The page carries the server's time
// of rendering, which arrived with the first byte; the circuit hands over a fresher one when it connects.
const firstByteAt = performance.timeOrigin + (performance.getEntriesByType("navigation")[0]?.responseStart ?? 0);
let serverOffset = (meta("server-time") || firstByteAt) - firstByteAt;
const serverNow = () => Date.now() + serverOffset;

window.autoticket = {
  setServerTime(milliseconds) {
    serverOffset = milliseconds - Date.now();
    tick();
  },

  // The session is over. Where this tab itself is on its way out, perhaps by way of another site, it must not be called back.
  leave(address) {
    if (!isSigningOut) location.replace(address);
  },
};

let isSigningOut = false;
document.addEventListener("submit", ({ target }) => {
  if (target.getAttribute("action") === "/logout") isSigningOut = true;
});

// As Durations.Text in Components/Durations.cs.
function ageText(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (minutes < 1) return `${seconds} s`;
  if (hours < 1) return `${minutes} min`;
  if (hours < 24) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

function tick() {
  const now = serverNow();
  for (const time of document.querySelectorAll("time[data-age][datetime]")) {
    const text = ageText(now - Date.parse(time.dateTime));
    // The text node is Blazor's: its text may be changed, but it must not be replaced.
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

// The next page is rendered in the scheme of this one, without a flash.
const dark = matchMedia("(prefers-color-scheme: dark)");
const rememberScheme = () => {
  document.cookie = `autoticket-scheme=${dark.matches ? "dark" : "light"}; path=/; max-age=31536000; samesite=lax`;
};
dark.addEventListener("change", rememberScheme);
rememberScheme();

const lost = document.getElementById("circuit-lost");

document.getElementById("components-reconnect-modal")?.addEventListener("components-reconnect-state-changed", ({ detail }) => {
  if (detail.state === "show") {
    document.documentElement.dataset.circuit = "lost";
    const lostAt = document.getElementById("circuit-lost-at");
    // The age of the newest reading, where the page shows any: the loss itself may be noticed seconds late.
    const readings = Array.from(document.querySelectorAll("[data-checked-at]"), (tile) => Number(tile.dataset.checkedAt));
    lostAt.dateTime = new Date(readings.length ? Math.max(...readings) : serverNow()).toISOString();
    tick();
    lost.show();
  } else if (detail.state === "hide") {
    delete document.documentElement.dataset.circuit;
    lost.close();
  } else if (["failed", "rejected", "resume-failed"].includes(detail.state)) {
    reloadWhenServed();
  }
});

document.getElementById("circuit-retry")?.addEventListener("click", async () => {
  try {
    if (!(await Blazor.reconnect())) reloadWhenServed();
  } catch {
    // Not reached: Blazor's own attempts go on.
  }
});

// A button that copies the field it names, and says so beside itself.
document.addEventListener("click", async ({ target }) => {
  const button = target.closest?.("[data-copy]");
  const field = button && document.getElementById(button.dataset.copy);
  if (!field) return;
  // Selected in any case: where the browser forbids copying, a key does it.
  field.select();
  let said = "Copied.";
  try {
    await navigator.clipboard.writeText(field.value);
  } catch {
    said = "Selected: copy it with Ctrl+C.";
  }
  const status = button.parentElement.querySelector("[data-copied]");
  if (status) status.textContent = said;
});

// A server that restarts refuses before it serves: reloading at once could end on the browser's own error page.
let isReloading = false;
async function reloadWhenServed() {
  if (isReloading) return;
  isReloading = true;
  for (;;) {
    try {
      const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(5000) });
      if (answer.ok) return location.reload();
    } catch {
      // Not there yet.
    }
    await new Promise((resume) => setTimeout(resume, 2000));
  }
}

Blazor.start({
  circuit: {
    configureSignalR: (connection) => {
      const silenceLimit = meta("circuit-silence-limit");
      if (silenceLimit) connection.withServerTimeout(silenceLimit);
    },
    // Without end: the console is left open for days.
    reconnectionOptions: { maxRetries: Number.MAX_SAFE_INTEGER, retryIntervalMilliseconds: (attempt) => Math.min(500 * 2 ** attempt, 5000) },
  },
});
