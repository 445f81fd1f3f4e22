import type { MetadataRoute } from "next";

/** What a browser needs to keep Mobula as an application. Nothing works offline, so there is no service worker. */
export default function manifest(): MetadataRoute.Manifest {
  return {
    name: "Mobula",
    short_name: "Mobula",
    description: "Realtime application backend on Ray.",
    start_url: "/dashboard",
    display: "standalone",
    background_color: "#f7fafb",
    theme_color: "#0d3b4c",
    icons: [{ src: "/icon.svg", sizes: "any", type: "image/svg+xml" }],
  };
}
