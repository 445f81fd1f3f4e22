"use client";

import {
  debounce,
  parseAsBoolean,
  parseAsInteger,
  parseAsString,
  parseAsStringLiteral,
  useQueryStates,
} from "nuqs";

import { useDebounced } from "@/lib/hooks/use-debounced";

import type { ProductQuery } from "../api/products";

export const PAGE_SIZE = 24;

export const SORTS = [
  { value: "featured", label: "Newest first" },
  { value: "price-asc", label: "Price, low to high" },
  { value: "price-desc", label: "Price, high to low" },
  { value: "name-asc", label: "Name, A to Z" },
] as const;

export type Sort = (typeof SORTS)[number]["value"];

/** The catalogue's state is its address: it can be bookmarked, shared, and walked back through. */
const parsers = {
  q: parseAsString.withDefault(""),
  category: parseAsString.withDefault(""),
  min: parseAsString.withDefault(""),
  max: parseAsString.withDefault(""),
  low: parseAsBoolean.withDefault(false),
  sort: parseAsStringLiteral(SORTS.map((sort) => sort.value)).withDefault("featured"),
  page: parseAsInteger.withDefault(1),
};

const TYPING_MS = 250;

export interface Filters {
  q: string;
  category: string;
  min: string;
  max: string;
  /** Only those of which little is left. */
  low: boolean;
  sort: Sort;
  page: number;
}

export function useFilters() {
  const [filters, setFilters] = useQueryStates(parsers);
  return {
    filters: filters as Filters,
    /** Every change but turning the page starts again from the first page. Going back undoes it, but not letters. */
    change: (part: Partial<Filters>, { typing = false }: { typing?: boolean } = {}) =>
      void setFilters(
        { page: 1, ...part },
        typing ? { history: "replace", limitUrlUpdates: debounce(TYPING_MS) } : { history: "push" },
      ),
    reset: () => void setFilters(null, { history: "push" }),
    active: Boolean(filters.q || filters.category || filters.min || filters.max || filters.low),
  };
}

/** What is asked for: what is typed once it has come to rest, and the rest at once. */
export function useSettled(filters: Filters): Filters {
  return {
    ...filters,
    q: useDebounced(filters.q, TYPING_MS),
    min: useDebounced(filters.min, TYPING_MS),
    max: useDebounced(filters.max, TYPING_MS),
  };
}

const AMOUNT = /^\d{1,10}([.,]\d{1,2})?$/;

/** A price bound as the API takes it; what is not an amount (yet) does not filter. */
export function amount(text: string): string | undefined {
  const trimmed = text.trim();
  return AMOUNT.test(trimmed) ? trimmed.replace(",", ".") : undefined;
}

export function toQuery({ q, category, min, max, low, sort, page }: Filters): ProductQuery {
  const [field, order] = sort === "featured" ? ["created_at", "desc"] : sort.split("-");
  return {
    page: Math.max(1, page),
    limit: PAGE_SIZE,
    q: q.trim() || undefined,
    category: category || undefined,
    price_min: amount(min),
    price_max: amount(max),
    low: low || undefined,
    sort: field as ProductQuery["sort"],
    order: order as ProductQuery["order"],
  };
}
