import { Badge, type Tone } from "@/components/ui/badge";

/** 3000–3499: the client comes back by itself; 3500 and above: it does not. 3008 is a client that was too slow. */
function toneOf(code: number): Tone {
  if (code === 0) return "neutral";
  if (code === 3008) return "warning";
  return code >= 3500 ? "danger" : "primary";
}

/** Why a connection ended: its close code and the reason given with it. */
export function CloseCode({ code, reason }: { code: number; reason: string }) {
  return (
    <Badge tone={toneOf(code)} data-testid="close-code" data-code={code}>
      {code === 0 ? "Connection lost" : `${code} ${reason}`}
    </Badge>
  );
}
