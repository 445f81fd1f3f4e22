"use client";

import { FileDown } from "lucide-react";
import { type FormEvent, useState } from "react";

import { Button } from "@/components/ui/button";
import { Card, CardBody, CardHeader, CardTitle } from "@/components/ui/card";
import { FormError } from "@/components/ui/error-state";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { QueryState } from "@/components/ui/query-state";
import { Select } from "@/components/ui/select";
import { Loading, Skeleton } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import type { ExportDataset, ExportFormat } from "@/lib/api/types";
import { humanise } from "@/lib/format";

import { FORMATS, useCreateExport, useDatasets } from "../api/exports";
import { isEnd, toFilters } from "../filters";
import { useExportPage } from "../hooks/use-export-page";

const ANY = "any";
const FROM_HINT = "The day begins at midnight, by your clock.";
const UNTIL_HINT = "The whole day counts, until midnight by your clock.";

export function ExportForm() {
  const datasets = useDatasets();
  return (
    <Card>
      <CardHeader>
        <CardTitle>New export</CardTitle>
      </CardHeader>
      <CardBody>
        <QueryState
          query={datasets}
          loading={
            <Loading label="Loading datasets">
              <Skeleton className="h-40" />
            </Loading>
          }
        >
          {({ items }) => <Fields datasets={items} />}
        </QueryState>
      </CardBody>
    </Card>
  );
}

function Fields({ datasets }: { datasets: readonly ExportDataset[] }) {
  const create = useCreateExport();
  const [page, setPage] = useExportPage();
  const [name, setName] = useState(datasets[0]?.name ?? "");
  const [format, setFormat] = useState<ExportFormat>("parquet");
  const [filters, setFilters] = useState<Record<string, string>>({});
  const dataset = datasets.find((item) => item.name === name);
  if (!dataset) return <p className="text-sm text-muted-foreground">There is nothing to export.</p>;

  const setFilter = (filter: string, value: string) => setFilters((now) => ({ ...now, [filter]: value }));

  function submit(event: FormEvent) {
    event.preventDefault();
    create.mutate(
      {
        dataset: name,
        format,
        filters: toFilters(dataset?.filters ?? [], filters),
      },
      {
        onSuccess: () => {
          // The newest are on the first page.
          if (page > 1) setPage(1);
          toast.success("The export is on its way", "Its progress shows beside this form.");
        },
      },
    );
  }

  return (
    <form onSubmit={submit} className="space-y-4" aria-label="New export">
      <FormError error={create.error} />
      <Field label="Dataset" hint={dataset.description}>
        <Select
          options={datasets.map((item) => ({ value: item.name, label: item.title }))}
          value={name}
          onChange={(next) => {
            setName(next);
            setFilters({});
          }}
        />
      </Field>
      <Field label="Format">
        <Select
          options={dataset.formats.map((item) => ({ value: item, label: FORMATS[item] }))}
          value={format}
          onChange={setFormat}
        />
      </Field>
      {dataset.filters.map((filter) => (
        <Field
          key={filter.name}
          label={humanise(filter.name)}
          // The API's own words are about moments. Here it is a day, and it begins where the person is.
          hint={
            filter.kind !== "timestamp" ? filter.description : isEnd(filter.name) ? UNTIL_HINT : FROM_HINT
          }
        >
          {filter.choices.length > 0 ? (
            <Select
              options={[
                { value: ANY, label: "Any" },
                ...filter.choices.map((choice) => ({ value: choice, label: humanise(choice) })),
              ]}
              value={filters[filter.name] || ANY}
              onChange={(value) => setFilter(filter.name, value === ANY ? "" : value)}
            />
          ) : (
            <Input
              type={filter.kind === "timestamp" ? "date" : "text"}
              value={filters[filter.name] ?? ""}
              onChange={(event) => setFilter(filter.name, event.target.value)}
            />
          )}
        </Field>
      ))}
      <Button type="submit" className="w-full" pending={create.isPending}>
        <FileDown aria-hidden /> Start export
      </Button>
    </form>
  );
}
