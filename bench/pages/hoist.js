// Attached to Hoist's own page, which is served as it is: it says of itself what is to be known.

(() => {
  const attach = () => {
    const root = document.querySelector('.hoist-uploader');
    if (!root) return false;
    const unsettled = () => Number(root.getAttribute('data-unsettled'));
    let hasBegun = false;
    const look = () => {
      if (root.hasAttribute('data-hydrated')) bench.isReady();
      if (unsettled() > 0) hasBegun = true;
      else if (hasBegun) bench.end(root.querySelector('[data-state=failed]') ? 'a file has failed' : undefined);
    };
    new MutationObserver(look).observe(root, { attributes: true });
    bench.listed = unsettled;
    look();
    return true;
  };
  if (attach()) return;
  const waiting = new MutationObserver(() => attach() && waiting.disconnect());
  waiting.observe(document, { childList: true, subtree: true });
})();
