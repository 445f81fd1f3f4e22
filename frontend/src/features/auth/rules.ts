import { z } from "zod";

/** What forms ask of fields before they ask the API: the same bounds, or fewer. It has the last word. */

/** Common passwords are refused by the API. */
export const newPassword = z.string().min(12, "At least 12 characters.").max(128, "At most 128 characters.");

export const username = z
  .string()
  .trim()
  .min(3, "At least 3 characters.")
  .max(32, "At most 32 characters.")
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9_.-]*$/,
    "Letters, digits, dots, dashes and underscores only, and a letter or digit first.",
  );

/** Something on both sides of an @. Which letters an address may have (josé@bücher.example) is not for forms to say. */
export const emailAddress = (message: string) => z.string().trim().regex(/\S@\S/, message);

/** A code of the app has six digits; recovery codes are longer. */
export const MIN_CODE = 6;
