import { Unreachable } from "./problem";

/** fetch, which says a network that fails and a mistake in the call with one and the same TypeError; here it is told. */
export async function reach(input: Request | URL, init?: RequestInit): Promise<Response> {
  const request = new Request(input, init);
  try {
    return await fetch(request);
  } catch (error) {
    throw error instanceof TypeError ? new Unreachable(error) : error;
  }
}
