// Files that are dragged over the zone, or over the page around it.

const OVER = 'hoist-uploader__drop--over';
/** Of what is over a page a browser tells every 350 ms, give or take 200 (HTML, *drag-and-drop processing model*). */
const GONE_MS = 700;

/**
 * Passes on what is dropped on a zone, or anywhere on the page: what misses the zone would make the browser leave the page, to
 * show the file. The zone is lit while files are where they would come to it. Returns what ends this.
 */
export function takeDrops(zone, onPage, take) {
  const page = new AbortController();
  let gone;
  let source;
  // Browsers do not agree on what they tell of leaving, and a row that goes while something is over it tells nothing: what is
  // not heard of has left.
  const light = (isOver) => {
    clearTimeout(gone);
    zone.classList.toggle(OVER, Boolean(isOver));
    if (isOver) gone = setTimeout(light, GONE_MS, false);
  };
  const hear = (event, isOurs) => {
    // Text that is dragged into a field is none of ours.
    const isTaken = isOurs && event.dataTransfer?.types.includes('Files');
    if (isTaken) event.preventDefault();
    // Who wants them for themselves often says so of what is over them only.
    if (event.type !== 'dragenter') light(isTaken && event.type === 'dragover');
    if (isTaken && event.type === 'drop') take(event.dataTransfer);
  };
  const here = (event) => {
    // Nothing that is dropped here makes the browser leave the page, and whoever else has stopped it: this is where it is dropped.
    event.preventDefault();
    hear(event, true);
  };
  const beside = (event) => {
    if (!zone.isConnected) return;
    const path = event.composedPath();
    if (path.includes(zone)) return;
    // A field for files, and whoever else takes them, keeps its own.
    hear(event, !event.defaultPrevented && path[0].type !== 'file' && !source?.isConnected);
  };
  // A picture of the page that is dragged counts as a file. What has left the page tells no end.
  const mark = (event) => (source = event.type === 'dragstart' ? event.composedPath()[0] : undefined);
  const listen = (target, kinds, handle, capture = false) => {
    for (const kind of kinds) target.addEventListener(kind, handle, { signal: page.signal, capture });
  };
  listen(zone, ['dragenter', 'dragover', 'drop'], here);
  if (onPage) {
    listen(window, ['dragenter', 'dragover', 'drop'], beside);
    listen(window, ['dragstart', 'dragend'], mark, true);
  }
  return () => page.abort();
}
