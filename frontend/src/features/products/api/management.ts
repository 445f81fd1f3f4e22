import { queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { api } from "@/lib/api/client";
import { unwrap } from "@/lib/api/problem";
import type { components } from "@/lib/api/schema.gen";
import type { Category, Product } from "@/lib/api/types";

export type ProductCreate = components["schemas"]["ProductCreate"];
export type ProductUpdate = components["schemas"]["ProductUpdate"];
export type CategoryCreate = components["schemas"]["CategoryCreate"];

/** What one has read is what one changes: a product or category that somebody changed meanwhile answers 412. */
const match = (version: number) => ({ "if-match": `"${version}"` });

export const productQuery = (productId: string) =>
  queryOptions({
    queryKey: ["products", "one", productId],
    queryFn: () =>
      unwrap(api.GET("/api/v1/products/{product_id}", { params: { path: { product_id: productId } } })),
  });

export function useProduct(productId: string) {
  return useQuery(productQuery(productId));
}

/** Whatever became of a change: lists and the product itself are asked for again, also after a 412. */
function useSettled() {
  const queryClient = useQueryClient();
  return () => {
    void queryClient.invalidateQueries({ queryKey: ["products"] });
    void queryClient.invalidateQueries({ queryKey: ["dashboard"] });
  };
}

export function useCreateProduct() {
  return useMutation({
    mutationFn: (body: ProductCreate): Promise<Product> => unwrap(api.POST("/api/v1/products", { body })),
    onSettled: useSettled(),
  });
}

export function useUpdateProduct() {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: ({ product, body }: { product: Product; body: ProductUpdate }): Promise<Product> =>
      unwrap(
        api.PATCH("/api/v1/products/{product_id}", {
          params: { path: { product_id: product.id }, header: match(product.version) },
          body,
        }),
      ),
    onSuccess: (product) => queryClient.setQueryData(productQuery(product.id).queryKey, product),
    onSettled: useSettled(),
  });
}

export function useRemoveProduct() {
  const queryClient = useQueryClient();
  const settled = useSettled();
  return useMutation({
    mutationFn: (product: Product) =>
      unwrap(
        api.DELETE("/api/v1/products/{product_id}", {
          params: { path: { product_id: product.id }, header: match(product.version) },
        }),
      ),
    onSuccess: (_, product) => {
      queryClient.removeQueries({ queryKey: productQuery(product.id).queryKey });
      settled();
    },
    onError: settled,
  });
}

/** A category is shown by its products, too. */
function useCategoriesSettled() {
  const queryClient = useQueryClient();
  return () => {
    void queryClient.invalidateQueries({ queryKey: ["categories"] });
    void queryClient.invalidateQueries({ queryKey: ["products"] });
  };
}

/** Makes a category, or changes the one that is given. */
export function useSaveCategory() {
  return useMutation({
    mutationFn: ({
      category,
      body,
    }: {
      category: Category | null;
      body: CategoryCreate;
    }): Promise<Category> =>
      unwrap(
        category
          ? api.PATCH("/api/v1/categories/{category_id}", {
              params: { path: { category_id: category.id }, header: match(category.version) },
              body,
            })
          : api.POST("/api/v1/categories", { body }),
      ),
    onSettled: useCategoriesSettled(),
  });
}

export function useRemoveCategory() {
  return useMutation({
    mutationFn: (category: Category) =>
      unwrap(
        api.DELETE("/api/v1/categories/{category_id}", {
          params: { path: { category_id: category.id }, header: match(category.version) },
        }),
      ),
    onSettled: useCategoriesSettled(),
  });
}
