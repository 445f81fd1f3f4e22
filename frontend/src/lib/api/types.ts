import type { components } from "./schema.gen";

type Schemas = components["schemas"];

export type CurrentUser = Schemas["CurrentUser"];
export type LoginSession = Schemas["LoginSession"];
export type ApiKey = Schemas["ApiKey"];
export type ApiKeyCreated = Schemas["ApiKeyCreated"];
export type UserSummary = Schemas["UserSummary"];
export type Category = Schemas["Category"];
export type Product = Schemas["Product"];
export type Order = Schemas["Order"];
export type OrderSummary = Schemas["OrderSummary"];
export type OrderStatus = Schemas["OrderStatus"];
export type Conversation = Schemas["Conversation"];
export type ConversationSummary = Schemas["ConversationSummary"];
export type Participant = Schemas["Participant"];
export type Message = Schemas["Message"];
export type MessagePage = Schemas["MessagePage"];
export type Notification = Schemas["Notification"];
export type Dashboard = Schemas["Dashboard"];
export type Export = Schemas["Export"];
export type ExportSummary = Schemas["ExportSummary"];
export type ExportFormat = Schemas["ExportFormat"];
export type ExportState = Schemas["ExportState"];
export type ExportDataset = Schemas["ExportDataset"];
export type Job = Schemas["Job"];
export type JobState = Schemas["JobState"];
export type MailSummary = Schemas["MailSummary"];
