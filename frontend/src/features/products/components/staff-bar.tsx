"use client";

import { Plus } from "lucide-react";
import Link from "next/link";
import { useRouter } from "next/navigation";
import { useState } from "react";

import { Button, buttonVariants } from "@/components/ui/button";
import { can, useCurrentUser } from "@/lib/current-user";

import { ProductForm } from "./product-form";

/** What those may do here who keep the catalogue. */
export function StaffBar() {
  const [adding, setAdding] = useState(false);
  const router = useRouter();
  if (!can(useCurrentUser(), "products:write")) return null;
  return (
    <>
      <Link href="/catalogue/categories" className={buttonVariants({ variant: "secondary" })}>
        Categories
      </Link>
      <Button onClick={() => setAdding(true)}>
        <Plus aria-hidden /> New product
      </Button>
      <ProductForm
        product={null}
        open={adding}
        onClose={() => setAdding(false)}
        onSaved={({ id }) => router.push(`/catalogue/${id}`)}
      />
    </>
  );
}
