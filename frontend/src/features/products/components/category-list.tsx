"use client";

import { ChevronLeft, Layers, Plus } from "lucide-react";
import Link from "next/link";
import { useState } from "react";

import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { ConfirmDialog } from "@/components/ui/confirm-dialog";
import { Empty } from "@/components/ui/empty";
import { PageHeader } from "@/components/ui/page-header";
import { QueryState } from "@/components/ui/query-state";
import { SkeletonRows } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import type { Category } from "@/lib/api/types";
import { cn } from "@/lib/cn";

import { useRemoveCategory } from "../api/management";
import { useCategories } from "../api/products";
import { CategoryForm } from "./category-form";

/** The shelves, for those who keep the catalogue. */
export function CategoryList() {
  const categories = useCategories();
  const [form, setForm] = useState<{ category: Category | null } | null>(null);
  const all = categories.data?.items ?? [];
  // After an edit by somebody else, the form goes on from what they have made.
  const edited = all.find(({ id }) => id === form?.category?.id) ?? form?.category ?? null;
  return (
    <>
      <Link
        href="/catalogue"
        className="mb-3 inline-flex items-center gap-1 rounded-sm text-sm text-muted-foreground hover:text-foreground"
      >
        <ChevronLeft aria-hidden className="size-4" /> Catalogue
      </Link>
      <PageHeader
        title="Categories"
        actions={
          <Button onClick={() => setForm({ category: null })}>
            <Plus aria-hidden /> New category
          </Button>
        }
      >
        The shelves of the catalogue, in their order.
      </PageHeader>
      <Card>
        <QueryState query={categories} loading={<SkeletonRows />}>
          {({ items }) =>
            items.length === 0 ? (
              <Empty icon={Layers} title="No categories yet">
                A product is always in one: begin here.
              </Empty>
            ) : (
              <ul aria-label="Categories" className="divide-y">
                {inOrder(items).map((category) => (
                  <Row key={category.id} category={category} onEdit={() => setForm({ category })} />
                ))}
              </ul>
            )
          }
        </QueryState>
      </Card>
      <CategoryForm category={edited} categories={all} open={form !== null} onClose={() => setForm(null)} />
    </>
  );
}

/** Each with those below it. */
function inOrder(categories: readonly Category[]): Category[] {
  return categories
    .filter(({ parent_id }) => parent_id === null)
    .flatMap((category) => [category, ...categories.filter(({ parent_id }) => parent_id === category.id)]);
}

function Row({ category, onEdit }: { category: Category; onEdit: () => void }) {
  const remove = useRemoveCategory();
  return (
    <li
      data-testid="category"
      className={cn("flex flex-wrap items-center gap-x-4 gap-y-2 px-5 py-3", category.parent_id && "pl-10")}
    >
      <div className="min-w-0 flex-1 basis-40">
        <Link
          href={`/catalogue?category=${category.slug}`}
          className="rounded-sm text-sm font-medium hover:text-primary"
        >
          {category.name}
        </Link>
        <p className="font-mono text-xs break-all text-muted-foreground">{category.slug}</p>
      </div>
      <div className="ml-auto flex gap-2">
        <Button variant="secondary" size="sm" aria-label={`Edit ${category.name}`} onClick={onEdit}>
          Edit
        </Button>
        <ConfirmDialog
          trigger={
            <Button variant="ghost" size="sm" aria-label={`Remove ${category.name}`}>
              Remove
            </Button>
          }
          title={`Remove ${category.name}?`}
          description="Only a category in which there is, and was, no product can be removed."
          action="Remove the category"
          onConfirm={() =>
            remove.mutateAsync(category, {
              onError: (error) => toast.error("The category was not removed", error),
              onSuccess: () => toast.success(`${category.name} is removed`),
            })
          }
        />
      </div>
    </li>
  );
}
