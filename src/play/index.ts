/** The page with a live machine: its server, and its files for any other one. */
export { bundlePage } from "./serve/bundle.ts";
export { withOffline } from "./serve/offline.ts";
export { openPage } from "./serve/open-page.ts";
export { type PageFiles, pageFiles } from "./serve/page-files.ts";
export { type PageServer, servePage } from "./serve/server.ts";
