// Attached to copyparty's own page, which is served as it is.

(() => {
  // Asks for nothing before it sends; a person can set this in its settings.
  localStorage.setItem('ask_up', '0');
  const isBusy = ({ busy, todo }) => [busy, todo].some((lists) => Object.values(lists).some((list) => list.length > 0));
  const look = () => {
    // A global of its own; `st` is its state.
    const st = globalThis.up2k?.st;
    const input = document.querySelector('#file1');
    if (!st || !input) return setTimeout(look, 5);
    bench.listed = () => st.files.length;
    bench.isReady();
    bench.endWhen(() => bench.count && st.files.length === bench.count && st.files.every((file) => file.done) && !isBusy(st));
  };
  look();
})();
