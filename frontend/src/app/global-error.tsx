"use client";

/** Shown when even the layout failed, so it relies on nothing. */
export default function GlobalError({ reset }: { error: Error; reset: () => void }) {
  return (
    <html lang="en">
      <body>
        <main style={{ fontFamily: "system-ui", maxWidth: "32rem", margin: "20vh auto", padding: "1.5rem" }}>
          <h1>Mobula stopped working in this tab</h1>
          <p>Reloading usually helps. Nothing that was saved is lost.</p>
          <button type="button" onClick={reset}>
            Try again
          </button>
        </main>
      </body>
    </html>
  );
}
