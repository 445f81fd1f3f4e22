import type { CurrentUser, ExportSummary, Message, Notification, Order, Product } from "@/lib/api/types";

const AT = "2026-11-22T12:00:00Z";
const LINKS = { self: { href: "/x" } };

export function currentUser(part: Partial<CurrentUser> = {}): CurrentUser {
  return {
    id: "u-1",
    email: "ada@example.com",
    username: "ada",
    full_name: "Ada Lovelace",
    is_active: true,
    is_verified: true,
    roles: ["customer"],
    permissions: ["orders:place"],
    metadata: {},
    created_at: AT,
    updated_at: AT,
    version: 1,
    _links: LINKS,
    ...part,
  };
}

export function product(part: Partial<Product> = {}): Product {
  return {
    id: "p-1",
    sku: "SKU-1",
    name: "Desk lamp",
    description: "",
    category: {
      id: "c-1",
      slug: "home",
      name: "Home",
      description: "",
      parent_id: null,
      position: 0,
      version: 1,
    },
    price: "19.90",
    currency: "EUR",
    stock: 5,
    image_url: null,
    attributes: {},
    version: 1,
    created_at: AT,
    updated_at: AT,
    _links: LINKS,
    ...part,
  };
}

export function order(part: Partial<Order> = {}): Order {
  return {
    id: "o-1",
    order_number: "M-000001",
    user_id: "u-1",
    username: null,
    status: "pending",
    total_amount: "19.90",
    currency: "EUR",
    item_count: 1,
    note: "",
    version: 1,
    created_at: AT,
    updated_at: AT,
    items: [],
    history: [{ status: "pending", previous: null, at: AT, reason: "" }],
    _links: LINKS,
    ...part,
  };
}

export function message(number: number, part: Partial<Message> = {}): Message {
  return {
    id: `m-${number}`,
    conversation_id: "c-1",
    number,
    author: { id: "u-2", username: "grace" },
    body: `message ${number}`,
    created_at: AT,
    edited_at: null,
    ...part,
  };
}

export function exportSummary(part: Partial<ExportSummary> = {}): ExportSummary {
  return {
    id: "e-1",
    user_id: "u-1",
    dataset: "orders",
    format: "parquet",
    filters: {},
    scope: "own",
    state: "running",
    progress: { rows: 10, total: 100, percent: 10 },
    error: null,
    created_at: AT,
    started_at: AT,
    finished_at: null,
    expires_at: null,
    _links: LINKS,
    ...part,
  };
}

export function page<T>(items: T[]) {
  return { items, total: items.length, page: 1, limit: 20, pages: 1, next: null, prev: null, _links: LINKS };
}

/** A page of notifications, beside which there may be more unread ones. */
export function notices(items: Notification[], elsewhere = 0) {
  return { ...page(items), unread: elsewhere + items.filter(({ read_at }) => !read_at).length };
}
