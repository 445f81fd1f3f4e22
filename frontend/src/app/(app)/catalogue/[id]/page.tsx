import type { Metadata } from "next";

import { ProductPage } from "@/features/products/components/product-page";

export const metadata: Metadata = { title: "Product" };

export default async function Page({ params }: PageProps<"/catalogue/[id]">) {
  return <ProductPage productId={(await params).id} />;
}
