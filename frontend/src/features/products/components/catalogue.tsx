"use client";

import { PackageX } from "lucide-react";
import { useState } from "react";

import { Button } from "@/components/ui/button";
import { Empty } from "@/components/ui/empty";
import { noSuchPage, Pagination, PastTheEnd } from "@/components/ui/pagination";
import { QueryState } from "@/components/ui/query-state";
import { Loading, Skeleton } from "@/components/ui/skeleton";
import type { Product } from "@/lib/api/types";
import { cn } from "@/lib/cn";

import { useProducts } from "../api/products";
import { toQuery, useFilters, useSettled } from "../hooks/use-filters";
import { useLiveStock } from "../hooks/use-live-stock";
import { CatalogueFilters } from "./catalogue-filters";
import { ProductCard } from "./product-card";
import { ProductDialog } from "./product-dialog";

const GRID = "grid grid-cols-2 gap-3 sm:gap-4 md:grid-cols-3 xl:grid-cols-4";

export function Catalogue() {
  const [opened, setOpened] = useState<Product | null>(null);
  return (
    <>
      <CatalogueFilters />
      <Results onOpen={setOpened} />
      <ProductDialog product={opened} onClose={() => setOpened(null)} />
    </>
  );
}

function Results({ onOpen }: { onOpen: (product: Product) => void }) {
  const { filters, change, reset, active } = useFilters();
  const products = useProducts(toQuery(useSettled(filters)));
  const items = useLiveStock(products.data?.items ?? []);

  return (
    <QueryState
      query={products}
      loading={
        <Loading label="Loading products">
          <div className={GRID}>
            {Array.from({ length: 8 }, (_, index) => (
              <Skeleton key={index} className="aspect-[4/5] rounded-lg" />
            ))}
          </div>
        </Loading>
      }
      failed={noSuchPage(() => change({ page: 1 }))}
    >
      {({ total, pages }) =>
        items.length === 0 && filters.page > 1 ? (
          <PastTheEnd onFirst={() => change({ page: 1 })} />
        ) : items.length === 0 ? (
          <Empty
            icon={PackageX}
            title={active ? "Nothing matches" : "The catalogue is empty"}
            action={
              active ? (
                <Button variant="secondary" onClick={reset}>
                  Clear filters
                </Button>
              ) : null
            }
          >
            {active
              ? "Try another word, a wider price range or all categories."
              : "Products appear here once they are added."}
          </Empty>
        ) : (
          <div className={cn("space-y-6 transition-opacity", products.isPlaceholderData && "opacity-60")}>
            <ul aria-label="Products" className={GRID}>
              {items.map((product) => (
                <li key={product.id} className="flex *:flex-1">
                  <ProductCard product={product} onOpen={onOpen} />
                </li>
              ))}
            </ul>
            <Pagination
              page={filters.page}
              pages={pages ?? 1}
              total={total ?? items.length}
              noun={total === 1 ? "product" : "products"}
              onPage={(page) => change({ page })}
            />
          </div>
        )
      }
    </QueryState>
  );
}
