/** A value as it is stored, under its name. */
export function JsonBlock({ title, value }: { title: string; value: unknown }) {
  return (
    <section>
      <h3 className="mb-1 text-xs font-medium tracking-normal text-muted-foreground">{title}</h3>
      <pre className="overflow-x-auto rounded-md bg-muted p-3 font-mono text-xs leading-relaxed whitespace-pre-wrap">
        {JSON.stringify(value, null, 2)}
      </pre>
    </section>
  );
}
