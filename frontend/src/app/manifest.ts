import type { MetadataRoute } from "next";

import { HOME } from "@/lib/paths";

/** What a browser needs to keep Mobula as an application. Nothing works offline, so there is no service worker. */
export default function manifest(): MetadataRoute.Manifest {
  return {
    name: "Mobula",
    short_name: "Mobula",
    description: "Realtime application backend on Ray.",
    start_url: HOME,
    display: "standalone",
    background_color: "#f7fafb",
    theme_color: "#0d3b4c",
    icons: [{ src: "/icon.svg", sizes: "any", type: "image/svg+xml" }],
  };
}
