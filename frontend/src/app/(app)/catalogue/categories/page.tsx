import type { Metadata } from "next";

import { CategoryList } from "@/features/products/components/category-list";

import { Permitted } from "../../_components/permitted";

export const metadata: Metadata = { title: "Categories" };

export default function CategoriesPage() {
  return (
    <Permitted permission="products:write">
      <CategoryList />
    </Permitted>
  );
}
