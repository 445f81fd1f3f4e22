"use client";

import { Search, X } from "lucide-react";

import { Button } from "@/components/ui/button";
import { Input } from "@/components/ui/input";
import { Select } from "@/components/ui/select";
import { can, useCurrentUser } from "@/lib/current-user";

import { useCategories } from "../api/products";
import { SORTS, useFilters } from "../hooks/use-filters";

const ALL = "all";
/** As long as the API takes. */
const MAX_QUERY = 100;

export function CatalogueFilters() {
  const { filters, change, reset, active } = useFilters();
  const categories = useCategories();
  const keeps = can(useCurrentUser(), "products:write");
  const options = [
    { value: ALL, label: "All categories" },
    ...(categories.data?.items ?? []).map(({ slug, name }) => ({ value: slug, label: name })),
  ];
  return (
    <form
      role="search"
      aria-label="Catalogue"
      onSubmit={(event) => event.preventDefault()}
      className="mb-6 grid grid-cols-2 gap-3 md:flex md:flex-wrap"
    >
      <div className="relative col-span-2 min-w-40 flex-1">
        <Search
          aria-hidden
          className="pointer-events-none absolute top-1/2 left-3 size-4 -translate-y-1/2 text-muted-foreground"
        />
        <Input
          type="search"
          aria-label="Search products"
          maxLength={MAX_QUERY}
          placeholder="Search products"
          className="pl-9"
          value={filters.q}
          onChange={(event) => change({ q: event.target.value }, { typing: true })}
        />
      </div>
      <Select
        aria-label="Category"
        className="max-md:col-span-2 md:w-48"
        options={options}
        value={filters.category || ALL}
        onChange={(value) => change({ category: value === ALL ? "" : value })}
      />
      <Input
        inputMode="decimal"
        aria-label="Lowest price"
        className="md:w-24"
        placeholder="From €"
        value={filters.min}
        onChange={(event) => change({ min: event.target.value }, { typing: true })}
      />
      <Input
        inputMode="decimal"
        aria-label="Highest price"
        className="md:w-24"
        placeholder="To €"
        value={filters.max}
        onChange={(event) => change({ max: event.target.value }, { typing: true })}
      />
      <Select
        aria-label="Sort by"
        className="max-md:col-span-2 md:w-48"
        options={SORTS}
        value={filters.sort}
        onChange={(sort) => change({ sort })}
      />
      {keeps || filters.low ? (
        <Button
          variant={filters.low ? "soft" : "secondary"}
          aria-pressed={filters.low}
          className="max-md:col-span-2"
          onClick={() => change({ low: !filters.low })}
        >
          Low in stock
        </Button>
      ) : null}
      {active ? (
        <Button variant="ghost" onClick={reset} className="max-md:col-span-2">
          <X aria-hidden /> Clear
        </Button>
      ) : null}
    </form>
  );
}
