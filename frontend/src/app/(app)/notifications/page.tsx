import type { Metadata } from "next";
import { Suspense } from "react";

import { PageHeader } from "@/components/ui/page-header";
import { NotificationPages } from "@/features/notifications/components/notification-pages";

export const metadata: Metadata = { title: "Notifications" };

export default function NotificationsPage() {
  return (
    <>
      <PageHeader title="Notifications">What you were told, newest first.</PageHeader>
      <Suspense>
        <NotificationPages />
      </Suspense>
    </>
  );
}
