// Works without a circuit: updates ages, marks tiles stale, and shows a lost connection within seconds.

const meta = (name) => Number(document.querySelector(`meta[name="${name}"]`)?.content);

// Clients' clocks are often wrong, so all ages are computed in server time. The page contains the server's time of
// rendering, which arrived with the first byte; the circuit sends a newer one when it connects.
const firstByteAt = performance.timeOrigin + (performance.getEntriesByType("navigation")[0]?.responseStart ?? 0);
let serverOffset = (meta("server-time") || firstByteAt) - firstByteAt;
const serverNow = () => Date.now() + serverOffset;

window.autoticket = {
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
  if (target.getAttribute("action") === "/logout") isSigningOut = true;
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

function tick() {
  const now = serverNow();
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

// The server renders the next page in this color scheme, without a flash.
const dark = matchMedia("(prefers-color-scheme: dark)");
const rememberScheme = () => {
  document.cookie = `autoticket-scheme=${dark.matches ? "dark" : "light"}; path=/; max-age=31536000; samesite=lax`;
};
dark.addEventListener("change", rememberScheme);
rememberScheme();

const lost = document.getElementById("circuit-lost");

function showLost() {
  if (lost.open) return;
  document.documentElement.dataset.circuit = "lost";
  const lostAt = document.getElementById("circuit-lost-at");
  // Use the newest reading if the page shows any, because the loss may be detected seconds late.
  const readings = Array.from(document.querySelectorAll("[data-checked-at]"), (tile) => Number(tile.dataset.checkedAt));
  lostAt.dateTime = new Date(readings.length ? Math.max(...readings) : serverNow()).toISOString();
  tick();
  lost.show();
}

function hideLost() {
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
  try {
    if (!(await Blazor.reconnect())) reloadWhenServed();
  } catch {
    // The server can't be reached. Blazor continues its own attempts.
  }
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
      if (answer.ok) return location.reload();
    } catch {
      // The server is not back yet.
    }
    await new Promise((resume) => setTimeout(resume, 2000));
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

// Blazor retries only lost circuits. This retries the first connection of a page.
async function startUntilConnected(start) {
  for (let attempt = 0; ; attempt++) {
    try {
      return await start();
    } catch (failure) {
      if (hasCircuit) throw failure;
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
        // The server refused the circuit or stopped before it opened, so Blazor can't reconnect.
        connection.onclose(() => {
          if (hasCircuit) return;
          showLost();
          setTimeout(reloadWhenServed, retryDelay(2));
        });
        return connection;
      };
    },
    // Unlimited retries: the console stays open for days.
    reconnectionOptions: { maxRetries: Number.MAX_SAFE_INTEGER, retryIntervalMilliseconds: retryDelay },
  },
});
