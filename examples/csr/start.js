import start from './static-page.js';

await start();
