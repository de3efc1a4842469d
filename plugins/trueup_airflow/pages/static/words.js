// Numbers, times and states in words.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });

export const number = (n) => (n === null || n === undefined ? "—" : whole.format(n));
export const plural = (n, one, many = `${one}s`) => `${number(n)} ${n === 1 ? one : many}`;

export function moment(iso) {
  if (!iso) return "—";
  const at = new Date(iso);
  const time = clock.format(at);
  return at.toDateString() === new Date().toDateString() ? `today ${time}` : `${day.format(at)} ${time.slice(0, 5)}`;
}

// A window as its run has it: in UTC, wherever one looks from, since its bounds decide which rows are meant.
const bound = (iso) => new Date(iso).toISOString().replace("T", " ").replace(/(:00)?(\.000)?Z$/, "");
export const span = (window) => `${bound(window.start)} – ${bound(window.end)} UTC`;
// A day of a backfill, which is one of UTC, too.
export const dayOf = (iso) => new Date(iso).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });

export function duration(seconds) {
  if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return "—";
  if (seconds < 10) return `${Math.max(seconds, 0).toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export const between = (start, end) => (start ? (new Date(end || Date.now()) - new Date(start)) / 1000 : null);
export const rate = (perSecond) => (perSecond ? `${number(perSecond)} rows/s` : "");
export const words = (name) => name.replaceAll("_", " ");
export const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);

// Which mark a state gets.
export const KIND = {
  "never run": "idle", starting: "busy", running: "busy", "rolling back": "busy", turning: "busy", planned: "note", "waiting for approval": "wait",
  proven: "good", "proven with exceptions": "warn", "proven of a window": "good", "cut over": "good", "rolled back": "skip", failed: "bad", interrupted: "bad", ended: "note",
  done: "good", skipped: "skip", waiting: "wait", retrying: "warn", queued: "idle", pending: "idle", "left out": "skip",
};

export const VERBS = {
  add: "to add", change: "to change", keep: "as they are", drift: "drifted", remove: "to remove", extra: "extra",
  rejected: "rejected", skipped: "skipped",
};

// the same, of a plan that is written
export const DONE = { add: "added", change: "changed", remove: "removed" };

// How long ago, in seconds.
export const ago = (iso) => (Date.now() - new Date(iso)) / 1000;

export const ABOUT = {
  add: "Rows that the target lacks.",
  change: "Rows that the target has, and that should be otherwise.",
  keep: "Rows that are as they should be already.",
  drift: "Rows that somebody else changed since Trueup wrote them. They are left alone unless the run says otherwise.",
  remove: "Rows that are to be deleted.",
  extra: "Rows of the target that the source does not give. They are counted, and left alone.",
  rejected: "Source rows in quarantine: they are not written.",
};
