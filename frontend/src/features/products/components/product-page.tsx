"use client";

import { ChevronLeft, Pencil } from "lucide-react";
import Link from "next/link";
import { useRouter } from "next/navigation";
import { useState } from "react";

import { Button } from "@/components/ui/button";
import { Card, CardBody } from "@/components/ui/card";
import { ConfirmDialog } from "@/components/ui/confirm-dialog";
import { PageHeader } from "@/components/ui/page-header";
import { QueryState } from "@/components/ui/query-state";
import { Loading, Skeleton } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import type { Product } from "@/lib/api/types";
import { formatMoney } from "@/lib/format";
import { useTitle } from "@/lib/hooks/use-title";

import { useProduct, useRemoveProduct } from "../api/management";
import { useLiveStock } from "../hooks/use-live-stock";
import { AddToCart, Stock } from "./product-card";
import { Attributes } from "./product-dialog";
import { ProductForm } from "./product-form";
import { ProductPicture } from "./product-picture";

/** One product at an address of its own. */
export function ProductPage({ productId }: { productId: string }) {
  return (
    <QueryState
      query={useProduct(productId)}
      loading={
        <Loading label="Loading the product">
          <Skeleton className="mb-6 h-10 w-64" />
          <Skeleton className="h-96" />
        </Loading>
      }
    >
      {(found) => <Loaded product={found} />}
    </QueryState>
  );
}

function Loaded({ product }: { product: Product }) {
  useTitle(product.name);
  const [live = product] = useLiveStock([product]);
  return (
    <>
      <Link
        href="/catalogue"
        className="mb-3 inline-flex items-center gap-1 rounded-sm text-sm text-muted-foreground hover:text-foreground"
      >
        <ChevronLeft aria-hidden className="size-4" /> Catalogue
      </Link>
      <PageHeader title={product.name} actions={<StaffActions product={product} />}>
        {product.category.name} · <span className="font-mono text-xs">{product.sku}</span>
      </PageHeader>
      <Card className="overflow-hidden md:flex">
        <ProductPicture product={product} className="aspect-[16/10] md:w-1/2 md:shrink-0" />
        <CardBody className="flex min-w-0 flex-1 flex-col pt-5">
          <p className="text-2xl font-semibold tabular-nums">
            {formatMoney(product.price, product.currency)}
          </p>
          <div className="mt-1">
            <Stock product={live} />
          </div>
          {product.description ? (
            <p className="mt-4 text-sm leading-relaxed break-words whitespace-pre-line">
              {product.description}
            </p>
          ) : null}
          <Attributes attributes={product.attributes} />
          <div className="mt-auto pt-6">
            <AddToCart product={live} label="Add to cart" />
          </div>
        </CardBody>
      </Card>
    </>
  );
}

/** For those to whom the API offers it. */
function StaffActions({ product }: { product: Product }) {
  const [editing, setEditing] = useState(false);
  const remove = useRemoveProduct();
  const router = useRouter();
  if (!product._links.update) return null;
  return (
    <>
      <Button variant="secondary" onClick={() => setEditing(true)}>
        <Pencil aria-hidden /> Edit
      </Button>
      <ConfirmDialog
        trigger={<Button variant="danger">Remove</Button>}
        title={`Remove ${product.name}?`}
        description="It leaves the catalogue. Orders that hold it keep it."
        action="Remove the product"
        onConfirm={() =>
          remove.mutateAsync(product, {
            onError: (error) => toast.error("The product was not removed", error),
            onSuccess: () => {
              toast.success(`${product.name} is removed`);
              router.push("/catalogue");
            },
          })
        }
      />
      <ProductForm product={product} open={editing} onClose={() => setEditing(false)} />
    </>
  );
}
