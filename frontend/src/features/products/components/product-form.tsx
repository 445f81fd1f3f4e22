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
import type { Category, Product } from "@/lib/api/types";

import { useCreateProduct, useUpdateProduct } from "../api/management";
import { useCategories } from "../api/products";
import { amount } from "../hooks/use-filters";

const schema = z.object({
  name: z.string().trim().min(1, "A product has a name.").max(160, "At most 160 characters."),
  sku: z.string().trim().min(1, "A product has a SKU.").max(40, "At most 40 characters."),
  category_id: z.string().min(1, "Choose a category."),
  price: z.string().refine((text) => amount(text) !== undefined, "An amount such as 12.50."),
  stock: z.string().regex(/^\d{1,9}$/, "A whole number from 0."),
  image_url: z
    .string()
    .trim()
    .max(400, "At most 400 characters.")
    .regex(
      /^(https:\/\/[^\s/]\S*|\/|\/[^\s/\\]\S*)?$/,
      "An address with https://, or a path with / before it.",
    ),
  description: z.string().max(10_000, "At most 10,000 characters."),
});

type Values = z.infer<typeof schema>;
const FIELDS: readonly Path<Values>[] = [
  ...(["name", "sku", "category_id", "price", "stock", "image_url", "description"] as const),
];

interface ProductFormProps {
  /** The product that is changed; null makes a new one. */
  product: Product | null;
  open: boolean;
  onClose: () => void;
  onSaved?: (product: Product) => void;
}

export function ProductForm({ product, open, onClose, onSaved }: ProductFormProps) {
  const categories = useCategories();
  return (
    <Dialog open={open} onOpenChange={(next) => !next && onClose()} disablePointerDismissal>
      <DialogContent
        title={product ? "Edit product" : "New product"}
        description={product ? product.name : "It can be ordered as soon as it is in stock."}
        className="max-w-xl"
      >
        {categories.data?.items.length === 0 ? (
          <p className="text-sm text-muted-foreground">
            There is no category yet, and a product is always in one: make a category first.
          </p>
        ) : (
          <Form
            product={product}
            categories={categories.data?.items ?? []}
            onDone={(saved) => {
              toast.success(product ? `${saved.name} is saved` : `${saved.name} is in the catalogue`);
              onClose();
              onSaved?.(saved);
            }}
          />
        )}
      </DialogContent>
    </Dialog>
  );
}

interface FormProps {
  product: Product | null;
  categories: readonly Category[];
  onDone: (product: Product) => void;
}

function Form({ product, categories, onDone }: FormProps) {
  const create = useCreateProduct();
  const update = useUpdateProduct();
  const form = useForm<Values>({
    resolver: zodResolver(schema),
    defaultValues: {
      name: product?.name ?? "",
      sku: product?.sku ?? "",
      category_id: product?.category.id ?? "",
      price: product?.price ?? "",
      stock: String(product?.stock ?? 0),
      image_url: product?.image_url ?? "",
      description: product?.description ?? "",
    },
  });
  const { errors, dirtyFields } = form.formState;
  const failed = create.error ?? update.error;
  const pending = create.isPending || update.isPending;

  const submit = form.handleSubmit((values) => {
    const body = {
      ...values,
      price: amount(values.price) ?? values.price,
      stock: Number(values.stock),
      image_url: values.image_url || null,
    };
    const then = {
      onSuccess: onDone,
      onError: (error: unknown) => applyFieldErrors(error, FIELDS, form.setError),
    };
    if (!product) {
      create.mutate(body, then);
      return;
    }
    // Only what was changed here: the rest may have been changed elsewhere.
    const changed = Object.fromEntries(Object.entries(body).filter(([name]) => name in dirtyFields));
    update.mutate({ product, body: changed }, then);
  });

  return (
    <form method="post" onSubmit={submit} noValidate className="space-y-4" aria-label="Product">
      {Object.keys(errors).length === 0 ? <FormError error={failed} /> : null}
      <Field label="Name" error={errors.name?.message}>
        <Input {...form.register("name")} />
      </Field>
      <div className="grid gap-4 sm:grid-cols-2">
        <Field label="SKU" error={errors.sku?.message}>
          <Input {...form.register("sku")} />
        </Field>
        <Controller
          control={form.control}
          name="category_id"
          render={({ field }) => (
            <Field label="Category" error={errors.category_id?.message}>
              <Select
                options={categories.map(({ id, name }) => ({ value: id, label: name }))}
                value={field.value}
                onChange={field.onChange}
              />
            </Field>
          )}
        />
        <Field label={`Price (${product?.currency ?? "EUR"})`} error={errors.price?.message}>
          <Input inputMode="decimal" {...form.register("price")} />
        </Field>
        <Field label="In stock" error={errors.stock?.message}>
          <Input inputMode="numeric" {...form.register("stock")} />
        </Field>
      </div>
      <Field
        label="Picture"
        hint="An https address, or a path of this site; may be left out."
        error={errors.image_url?.message}
      >
        <Input {...form.register("image_url")} />
      </Field>
      <Field label="Description" error={errors.description?.message}>
        <Textarea {...form.register("description")} />
      </Field>
      <DialogFooter>
        <DialogClose render={<Button variant="secondary">Discard</Button>} />
        <Button type="submit" pending={pending} disabled={product !== null && !form.formState.isDirty}>
          {product ? "Save product" : "Add product"}
        </Button>
      </DialogFooter>
    </form>
  );
}
