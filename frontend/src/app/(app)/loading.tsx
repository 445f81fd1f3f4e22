import { SkeletonRows } from "@/components/ui/skeleton";

/** Shown in the shell while a page's code is on its way. */
export default function PageLoading() {
  return <SkeletonRows rows={6} />;
}
