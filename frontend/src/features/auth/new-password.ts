import { z } from "zod";

/** The same bounds as the API's, which has the last word (common passwords). */
export const newPassword = z.string().min(12, "At least 12 characters.").max(128, "At most 128 characters.");
