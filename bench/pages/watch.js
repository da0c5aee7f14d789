// Runs in every page before its own scripts, Hoist's and the peers' alike: one stopwatch for all.
//
// The clock starts with the event that hands files over, seen before any handler of the page, and
// ends when the contestant's own signal says that everything is acknowledged.
(() => {
  const bench = (globalThis.bench = {
    /** When the files were handed over; `undefined` before. */
    handed: undefined,
    /** Stretches of 50 ms and more in which the main thread did nothing else. */
    tasks: [],
    /** What ended the run, if it was no success. */
    failed: undefined,
    /** What the page threw. */
    errors: [],
    ready: undefined,
    ended: undefined,
  });
  const once = (name) => new Promise((done) => (bench[`on_${name}`] = done));
  const [ready, ended] = [once('ready'), once('ended')];

  /** A person could now drop files. */
  bench.isReady = () => {
    bench.ready ??= performance.now();
    bench.on_ready();
  };
  /** Everything is acknowledged, or `failed` says why not. */
  bench.end = (failed) => {
    bench.ended ??= performance.now();
    bench.failed ??= failed && String(failed);
    bench.on_ended();
  };
  bench.whenReady = () => ready;
  bench.whenEnded = () => ended;

  /** Calls `end` when `isDone` says so; looks often, but not so often that it is work. */
  bench.endWhen = (isDone) => {
    const look = () => (isDone() ? bench.end() : setTimeout(look, 10));
    look();
  };

  addEventListener('error', ({ message }) => bench.errors.push(message));
  for (const type of ['input', 'change', 'drop']) {
    addEventListener(
      type,
      (event) => {
        const files = event.dataTransfer?.files ?? event.target?.files;
        if (bench.handed !== undefined || !files?.length) return;
        bench.handed = performance.now();
        bench.count = files.length;
      },
      true,
    );
  }

  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) bench.tasks.push({ start: startTime, duration });
  }).observe({ type: 'longtask', buffered: true });

  // Whether the page reacts: a timer that is asked for at once and comes late says for how long it
  // did not. Nested timers are 4 ms apart, so this is no load. Only on request.
  bench.probe = () => {
    bench.gaps = [];
    let last = performance.now();
    const tick = () => {
      const now = performance.now();
      if (now - last > 50) bench.gaps.push({ start: last, duration: now - last });
      last = now;
      if (bench.gaps) setTimeout(tick);
    };
    tick();
  };
})();
