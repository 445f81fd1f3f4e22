"use client";

import { zodResolver } from "@hookform/resolvers/zod";
import { Controller, type Path, useForm } from "react-hook-form";
import { z } from "zod";

import { Button } from "@/components/ui/button";
import { Dialog, DialogClose, DialogContent, DialogFooter } from "@/components/ui/dialog";
import { FormError } from "@/components/ui/error-state";
import { Field } from "@/components/ui/field";
import { Input, Textarea } from "@/components/ui/input";
import { Select } from "@/components/ui/select";
import { toast } from "@/components/ui/toast";
import { applyFieldErrors } from "@/lib/api/form-errors";
import type { Category } from "@/lib/api/types";

import { useSaveCategory } from "../api/management";

const NONE = "none";

const schema = z.object({
  name: z.string().trim().min(1, "A category has a name.").max(80, "At most 80 characters."),
  slug: z
    .string()
    .trim()
    .max(60, "At most 60 characters.")
    .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, "Small letters, digits and single dashes."),
  parent_id: z.string(),
  position: z.string().regex(/^\d{1,5}$/, "A whole number from 0."),
  description: z.string().max(2000, "At most 2,000 characters."),
});

type Values = z.infer<typeof schema>;
const FIELDS: readonly Path<Values>[] = ["name", "slug", "parent_id", "position", "description"];

interface CategoryFormProps {
  /** The category that is changed; null makes a new one. */
  category: Category | null;
  categories: readonly Category[];
  open: boolean;
  onClose: () => void;
}

export function CategoryForm({ category, categories, open, onClose }: CategoryFormProps) {
  return (
    <Dialog open={open} onOpenChange={(next) => !next && onClose()} disablePointerDismissal>
      <DialogContent
        title={category ? "Edit category" : "New category"}
        description={category ? category.name : "Products are put on its shelf."}
      >
        {/* Another category begins a form of its own, also while the last one still closes. */}
        <Form key={category?.id ?? "new"} category={category} categories={categories} onDone={onClose} />
      </DialogContent>
    </Dialog>
  );
}

interface FormProps {
  category: Category | null;
  categories: readonly Category[];
  onDone: () => void;
}

function Form({ category, categories, onDone }: FormProps) {
  const save = useSaveCategory();
  const form = useForm<Values>({
    resolver: zodResolver(schema),
    defaultValues: {
      name: category?.name ?? "",
      slug: category?.slug ?? "",
      parent_id: category?.parent_id ?? NONE,
      position: String(category?.position ?? 0),
      description: category?.description ?? "",
    },
  });
  const { errors } = form.formState;
  // There are two levels: what is below one has nothing below itself.
  const parents = categories.filter(({ id, parent_id }) => parent_id === null && id !== category?.id);

  const submit = form.handleSubmit((values) =>
    save.mutate(
      {
        category,
        body: {
          ...values,
          parent_id: values.parent_id === NONE ? null : values.parent_id,
          position: Number(values.position),
        },
      },
      {
        onSuccess: ({ name }) => {
          toast.success(`${name} is saved`);
          onDone();
        },
        onError: (error) => applyFieldErrors(error, FIELDS, form.setError),
      },
    ),
  );

  return (
    <form method="post" onSubmit={submit} noValidate className="space-y-4" aria-label="Category">
      {Object.keys(errors).length === 0 ? <FormError error={save.error} /> : null}
      <Field label="Name" error={errors.name?.message}>
        <Input
          {...form.register("name", {
            // A new one is called in addresses what it is called, until somebody says otherwise.
            onChange: (event: { target: { value: string } }) => {
              if (category || form.getFieldState("slug").isDirty) return;
              form.resetField("slug", { defaultValue: slugOf(event.target.value) });
            },
          })}
        />
      </Field>
      <div className="grid gap-4 sm:grid-cols-2">
        <Field label="In addresses" error={errors.slug?.message}>
          <Input {...form.register("slug")} />
        </Field>
        <Field label="Position" hint="Ascending, then by name." error={errors.position?.message}>
          <Input inputMode="numeric" {...form.register("position")} />
        </Field>
      </div>
      <Controller
        control={form.control}
        name="parent_id"
        render={({ field }) => (
          <Field label="Below" error={errors.parent_id?.message}>
            <Select
              options={[
                { value: NONE, label: "No other category" },
                ...parents.map(({ id, name }) => ({ value: id, label: name })),
              ]}
              value={field.value}
              onChange={field.onChange}
            />
          </Field>
        )}
      />
      <Field label="Description" error={errors.description?.message}>
        <Textarea {...form.register("description")} />
      </Field>
      <DialogFooter>
        <DialogClose render={<Button variant="secondary">Discard</Button>} />
        <Button type="submit" pending={save.isPending}>
          {category ? "Save category" : "Add category"}
        </Button>
      </DialogFooter>
    </form>
  );
}

function slugOf(name: string): string {
  return name
    .normalize("NFKD")
    .replace(/\p{Diacritic}/gu, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 60);
}
