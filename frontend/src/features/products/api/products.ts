import { keepPreviousData, queryOptions, useQuery } from "@tanstack/react-query";

import { api } from "@/lib/api/client";
import { unwrap } from "@/lib/api/problem";
import type { paths } from "@/lib/api/schema.gen";

export type ProductQuery = NonNullable<paths["/api/v1/products"]["get"]["parameters"]["query"]>;

export const productsQuery = (query: ProductQuery) =>
  queryOptions({
    queryKey: ["products", query],
    queryFn: () => unwrap(api.GET("/api/v1/products", { params: { query } })),
    placeholderData: keepPreviousData,
  });

export function useProducts(query: ProductQuery) {
  return useQuery(productsQuery(query));
}

export function useCategories() {
  return useQuery({
    queryKey: ["categories"],
    queryFn: () => unwrap(api.GET("/api/v1/categories")),
    staleTime: 10 * 60_000,
  });
}
